//! What the requests are: six operations, weighted.

use std::str::FromStr;

use crate::random::Random;

/// What one request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    List,
    Get,
    Search,
    Create,
    Update,
    Delete,
}

impl Operation {
    pub(crate) const ALL: [Self; 6] =
        [Self::List, Self::Get, Self::Search, Self::Create, Self::Update, Self::Delete];

    /// Name in a mix, method, and route as the catalogue names it.
    pub(crate) fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::List => ("list", "GET", "/products"),
            Self::Get => ("get", "GET", "/products/{id}"),
            Self::Search => ("search", "GET", "/search"),
            Self::Create => ("create", "POST", "/products"),
            Self::Update => ("update", "PUT", "/products/{id}"),
            Self::Delete => ("delete", "DELETE", "/products/{id}"),
        }
    }
}

/// A weight for each operation, in the order of `Operation::ALL`; one at least is above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    weights: [u32; 6],
}

impl Default for Mix {
    /// A shop: mostly looking, some searching, little writing; as much is deleted as created.
    fn default() -> Self {
        Self { weights: [30, 45, 15, 3, 4, 3] }
    }
}

impl Mix {
    pub(crate) fn pick(&self, random: &mut Random) -> Operation {
        let total: u64 = self.weights.iter().copied().map(u64::from).sum();
        let mut left = random.below(total);
        for (operation, weight) in Operation::ALL.into_iter().zip(self.weights) {
            if left < u64::from(weight) {
                return operation;
            }
            left -= u64::from(weight);
        }
        unreachable!("the draw is below the sum of the weights")
    }
}

impl FromStr for Mix {
    type Err = String;

    /// Reads `list=30,get=45`; operations left out have the weight 0.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut weights = [0; 6];
        for part in text.split(',') {
            let (name, weight) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} is not written as operation=weight"))?;
            let known = |operation: &Operation| operation.parts().0 == name.trim();
            let position = Operation::ALL.iter().position(known).ok_or_else(|| {
                format!("{name:?} is not list, get, search, create, update or delete")
            })?;
            weights[position] = weight
                .trim()
                .parse()
                .map_err(|_| format!("{weight:?} is not a whole number of 0 or more"))?;
        }
        if weights.iter().all(|weight| *weight == 0) {
            return Err("one weight at least is above 0".to_owned());
        }
        Ok(Self { weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_left_out_never_come_and_the_others_by_their_weights() {
        let mix: Mix = "get=3, list=1".parse().unwrap();
        let mut random = Random::new(1);
        let mut count = [0; 6];
        for _ in 0..10_000 {
            count[mix.pick(&mut random) as usize] += 1;
        }
        assert!((2_300..=2_700).contains(&count[Operation::List as usize]), "{count:?}");
        assert_eq!(count[0] + count[1], 10_000);
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        for text in ["", "get", "get=-1", "buy=1", "get=0", "get=1,,list=1"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
