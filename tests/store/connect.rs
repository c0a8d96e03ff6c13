//! Databases that are not there, or do not let us in.

use flowmonkey_jobs::store::{PgStore, SqliteStore, StoreError};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

const SECRET: &str = "hunter2-secret";

async fn refused(url: &str) -> StoreError {
    let error = PgStore::connect(url, 1).await.unwrap_err();
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    error
}

/// Names the address, so that a person sees at once which database is meant.
async fn assert_unavailable(port: u16, why: &str) {
    let url = format!("postgres://app:{SECRET}@127.0.0.1:{port}/jobs?sslmode=disable");
    match refused(&url).await {
        StoreError::Unavailable(shown) => {
            let address = format!("postgres://app@127.0.0.1:{port}/jobs");
            assert!(shown.contains(&address) && shown.contains(why), "{shown}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_the_error_names_the_address() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_unavailable(port, "refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_not_repeated() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || refuse_password(listener.accept().unwrap().0));
    assert_unavailable(port, "password authentication failed").await;
    assert_eq!(server.join().unwrap(), format!("{SECRET}\0"));
}

/// A server that asks for the password and does not like it (the Postgres manual, 55.7 "Message
/// Formats"). Returns what it was told.
fn refuse_password(mut client: TcpStream) -> String {
    let mut message = |tag: &[u8], body: &[u8]| {
        let mut length = [0; 4];
        let mut answer = vec![0; tag.len()];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, tag);
        client.read_exact(&mut length).unwrap();
        let mut text = vec![0; u32::from_be_bytes(length) as usize - 4];
        client.read_exact(&mut text).unwrap();
        client.write_all(body).unwrap();
        text
    };
    // The startup message has no tag; "R" with 3 asks for the password in clear.
    message(b"", b"R\0\0\0\x08\0\0\0\x03");
    let fields = b"SFATAL\0C28P01\0Mpassword authentication failed for user \"app\"\0\0";
    let mut error = b"E".to_vec();
    error.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
    error.extend(fields);
    String::from_utf8(message(b"p", &error)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_cannot_be_read_is_invalid() {
    for url in [
        format!("postgres://app:{SECRET}@127.0.0.1:port/jobs"),
        format!("postgres://app:{SECRET}@[::1/jobs"),
        SECRET.to_owned(),
        String::new(),
    ] {
        let error = refused(&url).await;
        assert!(matches!(error, StoreError::Invalid(_)), "{url}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_database_is_named() {
    let database = flowmonkey_tests::database::PgDatabase::empty().await;
    let url = database.url.replace("fm_test_", "fm_missing_");
    match PgStore::connect(&url, 1).await {
        Err(StoreError::Unavailable(why)) => assert!(why.contains("fm_missing_"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.db");
    let unreachable = folder.path().join("no-folder").join("jobs.db");
    for opened in [SqliteStore::open_existing(&missing).await, SqliteStore::open(&unreachable).await] {
        match opened {
            Err(StoreError::Unavailable(why)) => assert!(why.contains(".db"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(!missing.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "not a database, but longer than a header of one hundred bytes. ".repeat(20);
    std::fs::write(&path, &text).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
