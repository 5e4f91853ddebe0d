use proptest::prelude::*;

use super::*;

/// A record as a row.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    seq: i64,
    json: Vec<u8>,
    hash: Vec<u8>,
}

fn rows(jsons: &[Vec<u8>]) -> Vec<Row> {
    let mut head = Head::default();
    let row = |json: &Vec<u8>| {
        head = head.then(json);
        Row { seq: head.seq, json: json.clone(), hash: head.hash.0.to_vec() }
    };
    jsons.iter().map(row).collect()
}

/// The end of the chain, or the first link that does not hold.
fn walk(rows: &[Row]) -> Result<Head, (i64, Fault)> {
    rows.iter().try_fold(Head::default(), |head, row| {
        let link = Link { seq: row.seq, json: &row.json, hash: &row.hash };
        head.follow(&link).map_err(|fault| (row.seq, fault))
    })
}

fn is_hash(fault: &Fault) -> bool {
    matches!(fault, Fault::Hash { .. })
}

fn jsons() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 2..20)
}

#[test]
fn the_first_hash_is_that_of_zeros_and_the_json() {
    let expected = Sha256::digest([&[0; 32][..], b"{}"].concat());
    assert_eq!(Head::default().then(b"{}"), Head { seq: 1, hash: Hash(expected.into()) });
}

#[test]
fn a_hash_reads_back_and_nothing_else_is_one() {
    let hash = Hash::default().then(b"x");
    assert_eq!(hash.to_string().parse(), Ok(hash));
    assert_eq!(hash.to_string().len(), 71);
    let short = &hash.to_string()[..70];
    let signed = format!("sha256:{}", "+1".repeat(32));
    let wide = format!("sha256:{}", "é".repeat(32));
    for text in ["", "sha256:", "md5:00", short, &signed, &wide] {
        assert!(text.parse::<Hash>().is_err(), "{text}");
    }
}

#[test]
fn a_fault_is_a_sentence() {
    let missing = Fault::Missing { from: 2, to: 4 }.to_string();
    assert_eq!(missing, "records 2 to 4 are missing before it");
    assert_eq!(Fault::Missing { from: 2, to: 2 }.to_string(), "record 2 is missing before it");
    let stored = Fault::Hash { stored: None, computed: Hash::default() }.to_string();
    assert!(stored.contains("the hash stored is no SHA-256, that of its JSON"), "{stored}");
}

proptest! {
    #[test]
    fn an_untouched_chain_is_whole(jsons in jsons()) {
        let rows = rows(&jsons);
        let last = rows.last().unwrap();
        let end = walk(&rows).unwrap();
        prop_assert_eq!((end.seq, end.hash.0.to_vec()), (last.seq, last.hash.clone()));
    }

    #[test]
    fn any_changed_byte_is_found_at_its_record(jsons in jsons(), at: prop::sample::Index, byte: prop::sample::Index, by in 1..=255_u8, of_hash: bool) {
        let mut rows = rows(&jsons);
        let at = at.index(rows.len());
        let bytes = if of_hash { &mut rows[at].hash } else { &mut rows[at].json };
        let byte = byte.index(bytes.len());
        bytes[byte] ^= by;
        let (seq, fault) = walk(&rows).unwrap_err();
        prop_assert_eq!((seq, is_hash(&fault)), (rows[at].seq, true));
    }

    #[test]
    fn a_cut_or_longer_record_is_found(jsons in jsons(), at: prop::sample::Index, longer: bool) {
        let mut rows = rows(&jsons);
        let at = at.index(rows.len());
        if longer { rows[at].json.push(b' ') } else { rows[at].json.pop(); }
        prop_assert_eq!(walk(&rows).unwrap_err().0, rows[at].seq);
    }

    #[test]
    fn a_removed_record_is_found_by_the_one_after_it(jsons in jsons(), at: prop::sample::Index) {
        let mut rows = rows(&jsons);
        let gone = rows.remove(at.index(rows.len() - 1)).seq;
        prop_assert_eq!(walk(&rows), Err((gone + 1, Fault::Missing { from: gone, to: gone })));
    }

    #[test]
    fn a_removed_record_is_found_when_the_others_close_up(jsons in jsons(), at: prop::sample::Index) {
        let mut rows = rows(&jsons);
        let gone = rows.remove(at.index(rows.len() - 1)).seq;
        rows.iter_mut().filter(|row| row.seq > gone).for_each(|row| row.seq -= 1);
        prop_assert_eq!(walk(&rows).unwrap_err().0, gone);
    }

    #[test]
    fn swapped_records_are_found_at_the_first_of_them(jsons in jsons(), a: prop::sample::Index, b: prop::sample::Index) {
        let mut rows = rows(&jsons);
        let (a, b) = (a.index(rows.len()), b.index(rows.len()));
        prop_assume!(rows[a].json != rows[b].json);
        rows.swap(a, b);
        let first = rows[a.max(b)].seq;
        let is_missing = matches!(walk(&rows), Err((_, Fault::Missing { .. })));
        prop_assert!(is_missing);
        for (at, row) in rows.iter_mut().enumerate() {
            row.seq = i64::try_from(at).unwrap() + 1;
        }
        let (seq, fault) = walk(&rows).unwrap_err();
        prop_assert_eq!((seq, is_hash(&fault)), (first, true));
    }

    #[test]
    fn an_added_record_is_found(jsons in jsons(), at: prop::sample::Index, json: Vec<u8>) {
        let mut rows = rows(&jsons);
        let at = at.index(rows.len());
        let before = if at == 0 { Head::default() } else { walk(&rows[..at]).unwrap() };
        let added = before.then(&json);
        prop_assume!(added.hash.0.to_vec() != rows[at].hash);
        let row = Row { seq: added.seq, json, hash: added.hash.0.to_vec() };
        rows.insert(at, row);
        let next = added.seq + 1;
        prop_assert_eq!(walk(&rows), Err((added.seq, Fault::Place { next })));
        rows[at + 1..].iter_mut().for_each(|row| row.seq += 1);
        prop_assert_eq!(walk(&rows).unwrap_err().0, next);
    }
}
