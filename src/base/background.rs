//! Work that requests do not wait for.

use rustix::process::setpriority_process;

/// The nice value of a thread that reads a configuration or is told of its changes: where all cores are workers', these get a tenth
/// of one, which takes a thousand entries in a second or two.
const NICE: i32 = 10;

/// Lets requests go first: from now on this thread (Linux has a nice value for each) is less urgent than the workers. A kernel
/// that does not let it leaves it where it is.
pub fn behind_requests() {
    let _unchanged = setpriority_process(None, NICE);
}

/// Lets them go now. To be called between small pieces of work: a thread that runs is not interrupted before its slice is over,
/// which is many requests long.
pub fn let_requests_pass() {
    std::thread::yield_now();
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn only_the_thread_itself_is_less_urgent() {
        let before = getpriority_process(None).unwrap();
        let there = std::thread::spawn(|| {
            behind_requests();
            getpriority_process(None).unwrap()
        });
        assert_eq!(there.join().unwrap(), NICE.max(before));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
