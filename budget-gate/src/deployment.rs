//! What ran where, as pipelines told it, and what that proves about a rollback. A decision alone
//! never proves a run.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::Request;
use crate::words;

/// A version that has run in an environment since an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The version.
    pub version: String,
    /// The digest of its image.
    pub digest: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// Since when it runs.
    pub at: DateTime<Utc>,
    /// Who said so, as the engine knows.
    pub principal: String,
}

/// What the deployments of a service in an environment say of a claimed rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollback {
    /// It is one.
    Proven {
        /// The version that runs now.
        from: String,
    },
    /// It is none, and why.
    Disproved(String),
    /// No deployment is known here at all.
    Unknowable,
}

/// For so long a version that was rolled back from is none to roll back to.
const SHUNNED: Duration = Duration::days(30);

/// So many of the newest runs are looked at: a verdict takes no longer where more are known.
const LOOKED_AT: usize = 1_000;

impl Deployment {
    fn is(&self, version: &str, digest: Option<&str>) -> bool {
        match digest {
            Some(digest) => self.digest.as_deref() == Some(digest),
            None => self.version == version,
        }
    }

    /// Whether both are the same build: by digest where both have one.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.digest, &other.digest) {
            (Some(a), Some(b)) => a == b,
            _ => self.version == other.version,
        }
    }
}

/// Whether a request goes back to what ran here before the running version, and was not itself rolled
/// back from in the last 30 days. `history` is that of one service in one environment, oldest first;
/// what runs later than `now` is left out.
#[must_use]
pub fn rollback(history: &[Deployment], request: &Request, now: DateTime<Utc>) -> Rollback {
    let history = until(history, now);
    let Some(running) = history.last() else {
        return Rollback::Unknowable;
    };
    let (version, digest) = (request.version.as_deref(), request.digest.as_deref());
    let named = match (version, digest) {
        (None, None) => {
            return Rollback::Disproved("it names neither a version nor a digest".to_owned());
        }
        (Some(version), _) => version,
        (None, Some(digest)) => digest,
    };
    let wanted = |d: &Deployment| d.is(named, digest);
    // Of a running build whose digest nobody told, its version is all that is known.
    let is_untold = running.digest.is_none() && Some(running.version.as_str()) == version;
    if wanted(running) || is_untold {
        return Rollback::Disproved(format!("{named} is what runs"));
    }
    if !history.iter().any(wanted) {
        return Rollback::Disproved(match digest {
            Some(digest) => format!("no run of {digest} is known here"),
            None if history.len() < LOOKED_AT => format!("{named} never ran here"),
            None => format!("{named} is not among the last {LOOKED_AT} versions that ran here"),
        });
    }
    match left(history).into_iter().rfind(|(was, at)| wanted(was) && now - *at < SHUNNED) {
        Some((_, at)) => {
            let ago = words::length((now - at).num_seconds() as f64);
            Rollback::Disproved(format!("{named} was itself rolled back from {ago} ago"))
        }
        None => Rollback::Proven { from: running.version.clone() },
    }
}

/// When what a request would go back to, and was rolled back from, may be gone back to again: the last
/// time counts.
pub(crate) fn forgiven(history: &[Deployment], request: &Request) -> Option<DateTime<Utc>> {
    let (version, digest) = (request.version.as_deref(), request.digest.as_deref());
    let named = version.or(digest)?;
    let (_, at) = left(newest(history)).into_iter().rfind(|(was, _)| was.is(named, digest))?;
    at.checked_add_signed(SHUNNED)
}

/// The version that a rollback would go to: the newest one before the running one that proves a
/// rollback.
#[must_use]
pub fn last_good(history: &[Deployment], now: DateTime<Utc>) -> Option<&Deployment> {
    let history = until(history, now);
    let (running, before) = history.split_last()?;
    let mut gone = Latest::default();
    for (was, at) in left(history) {
        gone.note(was, at);
    }
    let is_shunned = |d: &Deployment| gone.of(d).is_some_and(|at| now - at < SHUNNED);
    before.iter().rfind(|d| !d.is_same(running) && !is_shunned(d))
}

/// `1.4.2`, `v1.4.2-rc.1`: a revision may also be a branch or a range, which no version is.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let rest = text.strip_prefix('v').unwrap_or(text);
    let core = rest.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    core.split('.').count() == 3 && core.split('.').all(is_number)
}

fn until(history: &[Deployment], now: DateTime<Utc>) -> &[Deployment] {
    newest(&history[..history.partition_point(|d| d.at <= now)])
}

fn newest(history: &[Deployment]) -> &[Deployment] {
    &history[history.len().saturating_sub(LOOKED_AT)..]
}

/// What was rolled back from, and when: a run that ended by going to a build that had run before it
/// and had not been rolled back from within 30 days itself.
fn left(history: &[Deployment]) -> Vec<(&Deployment, DateTime<Utc>)> {
    let (mut left, mut ran, mut gone) = (Vec::new(), Latest::default(), Latest::default());
    for (was, next) in history.iter().zip(history.iter().skip(1)) {
        let is_shunned = gone.of(next).is_some_and(|at| next.at - at < SHUNNED);
        if ran.of(next).is_some() && !next.is_same(was) && !is_shunned {
            left.push((was, next.at));
            gone.note(was, next.at);
        }
        ran.note(was, was.at);
    }
    left
}

/// When something last happened to a build; later instants are noted later. Long histories are asked
/// about on every refusal, so nothing is compared pair by pair.
#[derive(Default)]
struct Latest<'a> {
    versions: HashMap<&'a str, DateTime<Utc>>,
    digests: HashMap<&'a str, DateTime<Utc>>,
    /// Versions whose digest nobody told.
    untold: HashMap<&'a str, DateTime<Utc>>,
}

impl<'a> Latest<'a> {
    fn note(&mut self, one: &'a Deployment, at: DateTime<Utc>) {
        self.versions.insert(&one.version, at);
        match &one.digest {
            Some(digest) => self.digests.insert(digest, at),
            None => self.untold.insert(&one.version, at),
        };
    }

    /// Of a build that is the same as this one.
    fn of(&self, one: &Deployment) -> Option<DateTime<Utc>> {
        let version = one.version.as_str();
        match one.digest.as_deref() {
            Some(digest) => self.digests.get(digest).max(self.untold.get(version)).copied(),
            None => self.versions.get(version).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Kind;
    use crate::sample::now;

    /// Versions, each with the days ago since which it ran.
    fn history(runs: &[(&str, i64)]) -> Vec<Deployment> {
        runs.iter().map(|(version, ago)| run(version, *ago)).collect()
    }

    fn run(version: &str, ago: i64) -> Deployment {
        Deployment {
            id: version.to_owned(),
            service: "orders".to_owned(),
            environment: "production".to_owned(),
            version: version.to_owned(),
            digest: None,
            commit: None,
            at: now() - Duration::days(ago),
            principal: "token:ci".to_owned(),
        }
    }

    fn claim(history: &[Deployment], version: &str) -> Rollback {
        let request = Request {
            version: Some(version.to_owned()),
            kind: Kind::Rollback,
            ..Request::of("orders")
        };
        rollback(history, &request, now())
    }

    fn disproof(history: &[Deployment], version: &str) -> String {
        match claim(history, version) {
            Rollback::Disproved(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_version_that_ran_before_the_running_one_is_a_rollback() {
        let runs = history(&[("1", 9), ("2", 5), ("3", 1)]);
        let proven = Rollback::Proven { from: "3".to_owned() };
        assert_eq!((claim(&runs, "1"), claim(&runs, "2")), (proven.clone(), proven));
        assert_eq!(disproof(&runs, "3"), "3 is what runs");
        assert_eq!(disproof(&runs, "4"), "4 never ran here");
        assert_eq!(claim(&[], "1"), Rollback::Unknowable);
    }

    #[test]
    fn a_version_that_was_rolled_back_from_is_shunned_for_30_days() {
        let runs = history(&[("1", 40), ("2", 30), ("1", 29)]);
        assert_eq!(disproof(&runs, "2"), "2 was itself rolled back from 29d ago");
        let runs = history(&[("1", 40), ("2", 31), ("1", 30)]);
        assert_eq!(claim(&runs, "2"), Rollback::Proven { from: "1".to_owned() });
    }

    #[test]
    fn it_is_forgiven_30_days_after_the_last_time() {
        let runs = history(&[("1", 40), ("2", 30), ("1", 29), ("3", 20), ("1", 10)]);
        let asked = |version: &str| {
            let version = Some(version.to_owned());
            forgiven(&runs, &Request { version, kind: Kind::Rollback, ..Request::of("orders") })
        };
        assert_eq!(asked("2"), Some(now() + Duration::days(1)));
        assert_eq!(asked("3"), Some(now() + Duration::days(20)));
        assert_eq!((asked("1"), asked("4")), (None, None));
        assert_eq!(forgiven(&runs, &Request::of("orders")), None);
    }

    #[test]
    fn of_a_long_history_the_newest_1000_runs_prove_a_rollback() {
        let run = |at: i64| run(&at.to_string(), 2_000 - at);
        let runs: Vec<Deployment> = (0..1_500).map(run).collect();
        assert_eq!(claim(&runs, "500"), Rollback::Proven { from: "1499".to_owned() });
        assert_eq!(disproof(&runs, "499"), "499 is not among the last 1000 versions that ran here");
        assert_eq!(last_good(&runs, now()).unwrap().version, "1498");
    }

    #[test]
    fn going_forward_again_after_a_rollback_is_no_rollback_of_the_good_version() {
        // 2 was rolled back from, mended and deployed again under its name.
        let runs = history(&[("1", 9), ("2", 8), ("1", 7), ("2", 3)]);
        assert_eq!(claim(&runs, "1"), Rollback::Proven { from: "2".to_owned() });
    }

    #[test]
    fn a_digest_tells_builds_of_one_version_apart() {
        let mut runs = history(&[("latest", 9), ("latest", 1)]);
        runs[0].digest = Some("sha256:a".to_owned());
        runs[1].digest = Some("sha256:b".to_owned());
        let with = |digest: &str| {
            let request = Request {
                version: Some("latest".to_owned()),
                digest: Some(digest.to_owned()),
                ..Request::of("orders")
            };
            rollback(&runs, &request, now())
        };
        assert_eq!(with("sha256:a"), Rollback::Proven { from: "latest".to_owned() });
        assert!(matches!(with("sha256:b"), Rollback::Disproved(_)));
        assert!(matches!(with("sha256:c"), Rollback::Disproved(_)));
        assert_eq!(disproof(&runs, "latest"), "latest is what runs");
    }

    #[test]
    fn the_version_to_go_back_to_is_the_newest_that_would_prove_it() {
        let last =
            |runs: &[(&str, i64)]| last_good(&history(runs), now()).map(|d| d.version.clone());
        assert_eq!(last(&[("1", 9), ("2", 5), ("3", 1)]).as_deref(), Some("2"));
        assert_eq!(last(&[("1", 9), ("2", 8), ("1", 7), ("3", 1)]).as_deref(), Some("1"));
        assert_eq!(last(&[("1", 9)]), None);
        assert_eq!(last(&[("1", 9), ("2", 8), ("1", 7)]), None);
    }

    #[test]
    fn what_was_rolled_back_from_is_what_comparing_every_pair_of_builds_finds() {
        let pairwise = |history: &[Deployment]| {
            let mut left: Vec<(String, DateTime<Utc>)> = Vec::new();
            let mut gone: Vec<(&Deployment, DateTime<Utc>)> = Vec::new();
            for (at, next) in history.iter().enumerate().skip(1) {
                let was = &history[at - 1];
                let recent = |when: &DateTime<Utc>| next.at - *when < SHUNNED;
                let is_shunned = gone.iter().any(|(d, when)| d.is_same(next) && recent(when));
                let ran = history[..at - 1].iter().any(|d| d.is_same(next));
                if ran && !next.is_same(was) && !is_shunned {
                    left.push((was.id.clone(), next.at));
                    gone.push((was, next.at));
                }
            }
            left
        };
        // All histories of six runs of four builds, some without a digest, ten days apart.
        let builds = [("1", None), ("1", Some("a")), ("2", Some("b")), ("2", None)];
        for number in 0..4_usize.pow(6) {
            let runs = (0..6_u32).map(|at| {
                let (version, digest) = builds[number / 4_usize.pow(at) % 4];
                let digest = digest.map(str::to_owned);
                Deployment { id: at.to_string(), digest, ..run(version, 60 - i64::from(at) * 10) }
            });
            let runs: Vec<Deployment> = runs.collect();
            let found: Vec<_> = left(&runs).iter().map(|(d, at)| (d.id.clone(), *at)).collect();
            assert_eq!(found, pairwise(&runs), "{number}");
        }
    }

    #[test]
    fn a_run_that_is_announced_for_later_is_not_running_yet() {
        let runs = history(&[("1", 9), ("2", -1)]);
        assert_eq!(disproof(&runs, "1"), "1 is what runs");
    }
}
