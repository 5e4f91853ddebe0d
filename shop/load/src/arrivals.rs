//! When requests are due: decided by rate, curve and seed, never by the answers.

use std::time::Duration;

use clap::ValueEnum;

use crate::curve::Curve;
use crate::random::Random;

/// How arrivals are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Spacing {
    /// Independent arrivals, as of many users
    Poisson,
    /// Equal gaps
    Even,
}

/// The endless list of due times, from the start of the load.
#[derive(Debug)]
pub(crate) struct Arrivals {
    spacing: Spacing,
    curve: Curve,
    day: f64,
    /// Candidates a second: the rate at the peak of the curve.
    peak_rate: f64,
    random: Random,
    at: f64,
    credit: f64,
}

impl Arrivals {
    pub(crate) fn new(rate: f64, curve: Curve, day: f64, spacing: Spacing, seed: u64) -> Self {
        let peak_rate = rate * curve.peak();
        Self { spacing, curve, day, peak_rate, random: Random::new(seed), at: 0.0, credit: 0.0 }
    }

    /// Thinning (Lewis, Shedler 1979): candidates come at the peak rate, and one is kept with the
    /// probability rate / peak; evenly spaced ones are kept when that share has added up to one.
    fn keeps(&mut self) -> bool {
        let share = self.curve.factor(self.at, self.day) / self.curve.peak();
        match self.spacing {
            Spacing::Poisson => self.random.unit() < share,
            Spacing::Even => {
                self.credit += share;
                let kept = self.credit >= 1.0;
                self.credit -= f64::from(u8::from(kept));
                kept
            }
        }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let gap = match self.spacing {
                Spacing::Poisson => self.random.exponential(),
                Spacing::Even => 1.0,
            };
            self.at += gap / self.peak_rate;
            if self.keeps() {
                return Some(Duration::from_secs_f64(self.at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(arrivals: Arrivals, seconds: f64) -> Vec<Duration> {
        arrivals.take_while(|at| at.as_secs_f64() <= seconds).collect()
    }

    #[test]
    fn even_spacing_at_100_a_second_gives_one_each_10_ms() {
        let found = within(Arrivals::new(100.0, Curve::Flat, 1.0, Spacing::Even, 1), 1.005);
        assert_eq!(found.len(), 100);
        assert!((found[49].as_secs_f64() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn poisson_arrivals_repeat_with_their_seed_and_keep_the_mean_rate() {
        let of =
            |seed| within(Arrivals::new(100.0, Curve::Flat, 1.0, Spacing::Poisson, seed), 100.0);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let count = of(1).len();
        assert!((9_700..=10_300).contains(&count), "{count} instead of about 10000");
    }

    #[test]
    fn both_spacings_follow_the_curve_and_an_hour_of_factor_0_is_empty() {
        let mut hours = [1.0; 24];
        hours[0] = 0.0;
        hours[1] = 3.0;
        for spacing in [Spacing::Even, Spacing::Poisson] {
            let arrivals = Arrivals::new(100.0, Curve::Hours(hours), 240.0, spacing, 5);
            let found = within(arrivals, 30.0);
            let in_hour = |hour: u64| found.iter().filter(|at| at.as_secs() / 10 == hour).count();
            assert_eq!(in_hour(0), 0);
            assert!((2_800..=3_200).contains(&in_hour(1)), "{}", in_hour(1));
            assert!((900..=1_100).contains(&in_hour(2)), "{}", in_hour(2));
        }
    }
}
