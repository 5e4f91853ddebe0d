//! How the rate moves over a day: flat, one factor for each hour, or a sine.

use std::f64::consts::TAU;
use std::str::FromStr;

/// A factor on the rate for each moment of the day; the day begins with the load.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Curve {
    #[default]
    Flat,
    Hours([f64; 24]),
    /// 1 + amplitude x sine, lowest at midnight and highest at noon.
    Sine(f64),
}

impl Curve {
    /// The factor at `seconds` after the start, with days of `day` seconds.
    pub(crate) fn factor(&self, seconds: f64, day: f64) -> f64 {
        let position = (seconds / day).rem_euclid(1.0);
        match self {
            Self::Flat => 1.0,
            Self::Hours(hours) => hours[((position * 24.0) as usize).min(23)],
            Self::Sine(amplitude) => 1.0 - amplitude * (TAU * position).cos(),
        }
    }

    /// The largest factor of the day.
    pub(crate) fn peak(&self) -> f64 {
        match self {
            Self::Flat => 1.0,
            Self::Hours(hours) => hours.iter().copied().fold(0.0, f64::max),
            Self::Sine(amplitude) => 1.0 + amplitude,
        }
    }
}

impl FromStr for Curve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<f64> = text
            .split(',')
            .map(|part| {
                let part = part.trim();
                part.parse().map_err(|_| format!("{part:?} is not a number"))
            })
            .collect::<Result<_, _>>()?;
        if let Ok(hours) = <[f64; 24]>::try_from(numbers.as_slice()) {
            let usable = |factor: &f64| (0.0..=1_000.0).contains(factor);
            if !hours.iter().all(usable) || hours.iter().all(|factor| *factor <= 0.0) {
                return Err("the 24 factors are 0 to 1000, and one at least is above 0".to_owned());
            }
            return Ok(Self::Hours(hours));
        }
        match numbers[..] {
            [amplitude] if (0.0..=1.0).contains(&amplitude) => Ok(Self::Sine(amplitude)),
            _ => Err("give 24 factors, or one amplitude of a sine from 0 to 1".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_hold_for_their_hour_and_the_next_day_repeats() {
        let text: Vec<String> = (0..24).map(|hour| hour.to_string()).collect();
        let curve: Curve = text.join(",").parse().unwrap();
        for (seconds, factor) in [(0.0, 0), (3_599.0, 0), (3_600.0, 1), (86_399.0, 23)] {
            assert_eq!(curve.factor(seconds, 86_400.0) as i32, factor, "{seconds}");
        }
        assert_eq!(curve.factor(25.5, 24.0) as i32, 1);
        assert_eq!(curve.peak() as i32, 23);
    }

    #[test]
    fn a_sine_of_0_5_runs_from_0_5_at_midnight_to_1_5_at_noon() {
        let curve: Curve = "0.5".parse().unwrap();
        assert!((curve.factor(0.0, 60.0) - 0.5).abs() < 1e-9);
        assert!((curve.factor(30.0, 60.0) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_curve_is_refused() {
        let zeros = ["0"; 24].join(",");
        for text in ["", "x", "1.5", "1,2,3", "-0.1", "NaN", zeros.as_str()] {
            assert!(text.parse::<Curve>().is_err(), "{text}");
        }
    }
}
