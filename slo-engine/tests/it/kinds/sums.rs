//! Sums as pages write them: `(100 - 90) / 100 = 10 %`.

/// Checks that all sides of a sum are the same, to the last digit that each shows.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut sides = text.split(" = ").map(|side| Sum::of(side).map(|value| (side, value)));
    let (_, first) = sides.next().ok_or("empty")??;
    for side in sides {
        let (side, value) = side?;
        // A side that is a sum itself is exact.
        let slack = if is_number(side) { half_a_digit(side) } else { 0.0 };
        if (value - first).abs() > slack + first.abs() * 1e-9 {
            return Err(format!("{first} is not {side}"));
        }
    }
    Ok(())
}

fn is_number(side: &str) -> bool {
    side.trim_end_matches(" %").chars().all(|c| c.is_ascii_digit() || ",.-".contains(c))
}

fn half_a_digit(side: &str) -> f64 {
    let number = side.trim_end_matches(" %");
    let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let unit = 0.5 / 10_f64.powi(i32::try_from(decimals).unwrap());
    if side.ends_with('%') { unit / 100.0 } else { unit }
}

/// What is left to read of a sum.
struct Sum<'a>(std::iter::Peekable<std::vec::IntoIter<&'a str>>);

impl<'a> Sum<'a> {
    fn of(text: &'a str) -> Result<f64, String> {
        let mut words = Vec::new();
        for word in text.split_whitespace() {
            let opened = word.trim_start_matches('(');
            words.extend(std::iter::repeat_n("(", word.len() - opened.len()));
            let closed = opened.trim_end_matches(')');
            words.push(closed);
            words.extend(std::iter::repeat_n(")", opened.len() - closed.len()));
        }
        let mut sum = Self(words.into_iter().peekable());
        let value = sum.terms()?;
        sum.0.next().map_or(Ok(value), |word| Err(format!("what is `{word}`?")))
    }

    fn takes(&mut self, word: &str) -> bool {
        self.0.next_if(|next| *next == word).is_some()
    }

    fn terms(&mut self) -> Result<f64, String> {
        let mut value = self.factors()?;
        loop {
            match () {
                () if self.takes("+") => value += self.factors()?,
                () if self.takes("-") => value -= self.factors()?,
                () => return Ok(value),
            }
        }
    }

    fn factors(&mut self) -> Result<f64, String> {
        let mut value = self.number()?;
        loop {
            match () {
                () if self.takes("x") => value *= self.number()?,
                () if self.takes("/") => value /= self.number()?,
                () => return Ok(value),
            }
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        let value = if self.takes("(") {
            let value = self.terms()?;
            if !self.takes(")") {
                return Err("a parenthesis is open".to_owned());
            }
            value
        } else {
            let word = self.0.next().ok_or("a number is missing")?;
            word.replace(',', "").parse().map_err(|_| format!("what is `{word}`?"))?
        };
        Ok(if self.takes("%") { value / 100.0 } else { value })
    }
}

#[test]
fn sums_are_right_to_the_last_digit_that_they_show() {
    for right in [
        "(100 - 90) / 100 = 10 %",
        "2 / 3 = 0.667 = 66.7 %",
        "60 x 1,000 = 60,000",
        "1 - 99 % = 1 %",
    ] {
        check(right).unwrap_or_else(|e| panic!("{right}: {e}"));
    }
    for wrong in ["2 / 3 = 0.66", "1 + 1 = 3", "(1 = 1", "1 of 2 = 50 %"] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}
