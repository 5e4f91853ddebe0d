use super::*;

/// A total in one source and its good events in another, which come two minutes later.
struct Lab {
    events: [Ledger; 2],
    reading: Reading,
    good_catches_up: bool,
}

const DELAY: i64 = 2;

fn read_to(minute: i64) -> Reading {
    Reading { read_to: Some(Minute(minute).start()), ..Reading::default() }
}

impl Lab {
    fn new(good_catches_up: bool) -> Self {
        let events = [Ledger::new(0), Ledger::new(0)];
        Self { events, reading: read_to(100_000), good_catches_up }
    }

    /// So many events of a share in each of these minutes of the SLO.
    fn count(&mut self, share: usize, minutes: Range<i64>, events: i64) {
        let good = if share == 0 { 0 } else { events };
        let bucket = Bucket { good, total: events, measured: true, ..Bucket::default() };
        let delay = if share == 0 { 0 } else { DELAY };
        minutes.for_each(|at| self.events[share].replace(Minute(at + delay), &bucket));
    }

    fn shares(&self) -> [Counted<'_>; 2] {
        let counted = |at: usize, role, delay, catches_up| Counted {
            role,
            delay,
            events: &self.events[at],
            reading: &self.reading,
            source: None,
            backfill: None,
            catches_up,
        };
        [counted(0, Role::Whole, 0, true), counted(1, Role::Good, DELAY, self.good_catches_up)]
    }

    /// The minutes that count, where both have been read to the end of time.
    fn known(&self) -> Option<Range<Minute>> {
        let text = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\nslos:\n  - {name: x, objective: 99%, indicator: {ratio: {total: t_total, good: g_total}}}\n";
        let set = slo_core::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
        known(&set.services[0].slos[0], &self.shares())
    }

    /// Good and all events in some minutes, and how many of these are measured.
    fn sums(&self, minutes: Range<i64>) -> [i64; 3] {
        let shares = self.shares();
        let known = self.known();
        let all = minutes.map(|at| bucket(&shares, known.as_ref(), Minute(at)).unwrap());
        all.fold([0; 3], |[good, total, measured], b| {
            [good + b.good, total + b.total, measured + i64::from(b.measured)]
        })
    }
}

#[test]
fn what_one_side_holds_from_before_the_other_began_is_no_part_of_the_slo() {
    let mut lab = Lab::new(true);
    lab.count(0, 0..200, 10);
    assert_eq!((lab.sums(0..200), lab.known()), ([0; 3], None));
    lab.count(1, 150..200, 9);
    assert_eq!(lab.known().unwrap().start, Minute(150));
    assert_eq!(lab.sums(0..200), [450, 500, 50]);
    assert_eq!(hours(&lab.shares(), Minute(150)), 2..4);
}

#[test]
fn what_one_side_holds_from_after_the_other_was_read_does_not_count_yet() {
    let mut lab = Lab::new(true);
    lab.count(0, 0..200, 10);
    lab.count(1, 0..200, 10);
    // The good events of minute 98 come in minute 100.
    lab.reading = read_to(100);
    assert_eq!(lab.known(), Some(Minute(0)..Minute(98)));
    assert_eq!(lab.sums(0..200), [980, 980, 98]);
}

#[test]
fn minutes_whose_documents_are_unknown_do_not_count_and_those_of_counters_come_later() {
    for (catches_up, expected) in [(false, [90, 100, 10]), (true, [90, 200, 10])] {
        let mut lab = Lab::new(catches_up);
        lab.count(0, 0..20, 10);
        lab.count(1, 0..5, 9);
        lab.count(1, 15..20, 9);
        assert_eq!(lab.sums(0..20), expected);
    }
}

#[test]
fn a_minute_of_which_a_share_is_not_in_memory_is_left_as_it_is() {
    let mut lab = Lab::new(true);
    lab.count(0, 0..200, 10);
    lab.count(1, 0..200, 9);
    lab.events[1].evict(Minute(180));
    let shares = lab.shares();
    let known = lab.known();
    let at = |minute| bucket(&shares, known.as_ref(), Minute(minute)).map(|b| (b.good, b.total));
    assert_eq!((at(100), at(190)), (None, Some((9, 10))));
}

#[test]
fn events_of_a_part_are_not_assumed_on_top_of_those_of_the_total() {
    let mut lab = Lab::new(true);
    let born =
        Bucket { good: 5, total: 5, measured: true, assumed: 5, dropped: 1, ..Bucket::default() };
    lab.events[0].replace(Minute(7), &born);
    lab.events[1].replace(Minute(7 + DELAY), &born);
    let shares = lab.shares();
    let bucket = bucket(&shares, lab.known().as_ref(), Minute(7)).unwrap();
    assert_eq!((bucket.total, bucket.assumed, bucket.dropped), (5, 5, 1));
}
