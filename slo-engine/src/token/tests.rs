use super::*;

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

fn principal(scopes: &[Scope], services: &[&str], environments: &[&str]) -> Principal {
    let globs = |texts: &[&str]| texts.iter().map(|text| glob(text)).collect();
    Principal {
        name: "token:ci".to_owned(),
        id: "aaaaaaaaaa".to_owned(),
        scopes: scopes.to_vec(),
        services: globs(services),
        environments: globs(environments),
    }
}

#[test]
fn a_token_reads_back_and_is_known_by_its_hash_alone() {
    let token = Token::random().unwrap();
    let text = token.reveal();
    assert_eq!(text.len(), "hr_".len() + 10 + "_".len() + 64);
    let read = Token::parse(&text).unwrap();
    assert!(token.hash().is_of(&read));
    assert!(!token.hash().is_of(&Token::random().unwrap()));
    let (head, last) = text.split_at(text.len() - 1);
    let other = if last == "0" { "1" } else { "0" };
    assert!(!token.hash().is_of(&Token::parse(&format!("{head}{other}")).unwrap()));
    assert_eq!(token.hash().0, <[u8; 32]>::from(Sha256::digest(text)));
}

#[test]
fn a_token_of_known_bytes_is_known_letter_by_letter() {
    let token = Token::of(&std::array::from_fn(|at| at as u8));
    let secret = "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829";
    assert_eq!(token.reveal(), format!("hr_abcdefghij_{secret}"));
}

#[test]
fn a_token_for_a_path_has_no_underscore_and_is_the_same_token() {
    let token = Token::random().unwrap();
    let text = token.reveal_for_path();
    // What an API server lets a webhook's path consist of.
    assert!(text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'));
    assert!(token.hash().is_of(&Token::parse(&text).unwrap()));
}

#[test]
fn what_is_no_token_is_refused_before_anything_is_looked_up() {
    let text = Token::random().unwrap().reveal();
    let upper = text.to_uppercase();
    let cases = ["", "hr_", "hr__", &text[1..], &text[..text.len() - 1], &upper, "Bearer x"];
    for wrong in cases {
        assert!(Token::parse(wrong).is_none(), "{wrong}");
    }
    assert!(Token::parse(&format!("{text}0")).is_none());
    assert!(Token::parse(&format!("{text}\u{e9}")).is_none());
}

#[test]
fn nothing_shows_the_secret() {
    let token = Token::random().unwrap();
    let shown = format!("{token:?} {:?}", token.hash());
    assert_eq!(shown, format!("hr_{}_*** ***", token.id()));
}

#[test]
fn scopes_read_back_as_they_are_written() {
    for scope in Scope::ALL {
        assert_eq!(scope.as_str().parse(), Ok(scope));
        let json = serde_json::to_string(&scope).unwrap();
        assert_eq!(json, format!("\"{scope}\""));
        assert_eq!(serde_json::from_str::<Scope>(&json).unwrap(), scope);
    }
    let wrong = "root".parse::<Scope>().unwrap_err();
    assert!(wrong.contains("kind:hotfix"), "{wrong}");
}

#[test]
fn a_token_may_what_its_scopes_and_patterns_say() {
    let may = |principal: &Principal, scope, service, environment| {
        principal.may(scope, service, Some(environment))
    };
    let ci = principal(&[Scope::Decide], &["orders", "payment-*"], &["production"]);
    assert!(may(&ci, Scope::Decide, "orders", "production"));
    assert!(may(&ci, Scope::Decide, "payment-eu", "production"));
    for (scope, service, environment) in [
        (Scope::Deploy, "orders", "production"),
        (Scope::Decide, "orders-eu", "production"),
        (Scope::Decide, "orders", "staging"),
        (Scope::Admin, "orders", "production"),
    ] {
        assert!(!may(&ci, scope, service, environment), "{scope} {service} {environment}");
    }
    let all = principal(&[Scope::Admin], &[], &[]);
    assert!(Scope::ALL.iter().all(|scope| may(&all, *scope, "any", "where")));
    let some = principal(&[Scope::Admin], &["orders"], &[]);
    assert!(!may(&some, Scope::Decide, "payment", "production"), "admin of some services only");
}

#[test]
fn what_concerns_every_environment_is_for_those_who_may_in_every_one() {
    let may = |environments: &[&str]| {
        principal(&[Scope::Incident], &[], environments).may(Scope::Incident, "orders", None)
    };
    assert!(may(&[]) && may(&["staging", "*"]));
    assert!(!may(&["production"]) && !may(&["prod*"]));
}
