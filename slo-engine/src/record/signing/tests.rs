use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00.750Z".parse().unwrap()
}

fn head() -> Head {
    Head::default().then(b"{}")
}

#[test]
fn a_key_is_made_once_readable_by_its_owner_alone_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/heads.pem");
    assert!(SigningKey::read(&path).unwrap().is_none());
    let made = SigningKey::make(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&path).unwrap();
    assert!(matches!(SigningKey::make(&path), Err(KeyError::File { step: "write", .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(SigningKey::read(&path).unwrap().unwrap().public(), made.public());
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heads.pem");
    SigningKey::make(&path).unwrap();
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = SigningKey::read(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600") && refused.contains("can be read"), "{refused}");
    }
}

#[test]
fn a_file_that_is_no_key_is_refused_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heads.pem");
    for text in ["", "secret", &format!("{BEGIN}\nAAAA\n{END}\n")] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = SigningKey::read(&path).unwrap_err();
        assert!(matches!(refused, KeyError::NoKey(_)), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn the_key_lies_beside_the_database_or_where_the_configuration_says() {
    let database = Path::new("data/headroom.db");
    assert_eq!(Signing::default().path(database), Path::new("data/heads.pem"));
    assert_eq!(Signing::default().path(Path::new("x.db")), Path::new("heads.pem"));
    let elsewhere = Signing { keys: Some("/etc/keys".into()), ..Signing::default() };
    assert_eq!(elsewhere.path(database), Path::new("/etc/keys/heads.pem"));
}

#[test]
fn a_signed_head_is_genuine_until_any_part_of_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::make(&folder.path().join("heads.pem")).unwrap();
    let signed = key.sign(head(), now());
    let expected = format!("headroom-head-v1\n1\n{}\n2026-11-21T10:00:00Z\n", head().hash);
    assert_eq!(signed.message(), expected);
    assert!(signed.is_genuine());
    let other = SigningKey::make(&folder.path().join("other.pem")).unwrap();
    let mut changed = vec![signed.clone(); 5];
    changed[0].head.seq += 1;
    changed[1].head.hash.0[31] ^= 1;
    changed[2].at += chrono::TimeDelta::seconds(1);
    changed[3].public_key = other.public();
    changed[4].signature[63] ^= 1;
    assert!(changed.iter().all(|head| !head.is_genuine()));
}

#[test]
fn a_signed_head_reads_back_from_its_json() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::make(&folder.path().join("heads.pem")).unwrap();
    let signed = key.sign(head(), now());
    let json = serde_json::to_string(&signed.shown()).unwrap();
    let shown: ShownHead = serde_json::from_str(&json).unwrap();
    assert_eq!(shown.signed(), Ok(Some(signed)));
    let recorded = format!(r#"{{"seq": 1, "hash": "{}"}}"#, head().hash);
    let shown: ShownHead = serde_json::from_str(&recorded).unwrap();
    assert_eq!((shown.head(), shown.signed()), (Ok(head()), Ok(None)));
}

#[test]
fn nothing_shows_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heads.pem");
    let key = SigningKey::make(&path).unwrap();
    let pem = fs::read_to_string(&path).unwrap();
    let body = pem.lines().nth(1).unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains(&STANDARD.encode(key.public())) && !shown.contains(&body[20..60]));
}
