//! T19: files that are missing, empty, swapped, too long, or no files.

use std::os::unix::fs::symlink;

use super::*;

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap();
}

#[tokio::test(start_paused = true)]
async fn t19_a_token_is_read_without_its_trailing_newline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    for content in ["a.b.c", "a.b.c\n", "a.b.c\r\n", "a.b.c \n\n"] {
        write(&path, content);
        assert_eq!(read(&path).await.unwrap().expose(), "a.b.c");
    }
    write(&path, "t".repeat(16 << 10));
    assert_eq!(read(&path).await.unwrap().expose().len(), 16 << 10);
}

#[tokio::test(start_paused = true)]
async fn t19_what_is_no_token_is_an_error_that_names_the_path_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let shown = path.display().to_string();
    let not_token = MaterialFault::NotToken { path: shown.clone() };
    for content in [Vec::new(), b"\n".to_vec(), b"hunter2\xff".to_vec(), b"hunter2".repeat(1 << 20)] {
        write(&path, content);
        let error = read(&path).await.unwrap_err();
        assert_eq!(error, not_token);
        assert!(!error.to_string().contains("hunter2"));
    }
    let missing = folder.path().join("missing");
    let shown = missing.display().to_string();
    assert_eq!(read(&missing).await, Err(MaterialFault::File { path: shown, kind: ErrorKind::NotFound }));
    let shown = folder.path().display().to_string();
    assert_eq!(
        read(folder.path()).await,
        Err(MaterialFault::File { path: shown, kind: ErrorKind::IsADirectory })
    );
}

#[tokio::test(start_paused = true)]
async fn t19_an_empty_file_is_looked_at_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    write(&path, "");
    let (reading, writing) = tokio::join!(read(&path), async {
        tokio::time::sleep(AGAIN / 2).await;
        write(&path, "late");
    });
    let () = writing;
    assert_eq!(reading.unwrap().expose(), "late");
}

#[tokio::test(start_paused = true)]
async fn t19_the_swap_of_kubernetes_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, token) in [("..1", "first"), ("..2", "second")] {
        fs::create_dir(at(version)).unwrap();
        write(&at(version).join("token"), token);
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/token", at("token")).unwrap();
    assert_eq!(read(&at("token")).await.unwrap().expose(), "first");
    symlink("..2", at("..new")).unwrap();
    fs::rename(at("..new"), at("..data")).unwrap();
    fs::remove_dir_all(at("..1")).unwrap();
    assert_eq!(read(&at("token")).await.unwrap().expose(), "second");
}
