//! A column of whole numbers that is only as wide as its largest value, because there are
//! thousands of minutes for each of many thousand SLOs and most numbers are small.

use super::day::Hours;

/// Whole numbers, stored in 1, 2, 4 or 8 bytes each, or in none while all are 0; widens when a
/// value needs it.
#[derive(Debug, Clone)]
pub(super) enum Column {
    Zeros(usize),
    W8(Vec<i8>),
    W16(Vec<i16>),
    W32(Vec<i32>),
    W64(Vec<i64>),
}

/// By values, however wide they are stored.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|at| self.get(at) == other.get(at))
    }
}

impl Eq for Column {}

impl Column {
    pub(super) const fn zeros(length: usize) -> Self {
        Self::Zeros(length)
    }

    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Zeros(length) => *length,
            Self::W8(v) => v.len(),
            Self::W16(v) => v.len(),
            Self::W32(v) => v.len(),
            Self::W64(v) => v.len(),
        }
    }

    pub(super) fn get(&self, at: usize) -> i64 {
        match self {
            Self::Zeros(_) => 0,
            Self::W8(v) => i64::from(v[at]),
            Self::W16(v) => i64::from(v[at]),
            Self::W32(v) => i64::from(v[at]),
            Self::W64(v) => v[at],
        }
    }

    pub(super) fn set(&mut self, at: usize, value: i64) {
        let fits = match self {
            Self::Zeros(_) => value == 0,
            Self::W8(v) => i8::try_from(value).map(|x| v[at] = x).is_ok(),
            Self::W16(v) => i16::try_from(value).map(|x| v[at] = x).is_ok(),
            Self::W32(v) => i32::try_from(value).map(|x| v[at] = x).is_ok(),
            Self::W64(v) => {
                v[at] = value;
                true
            }
        };
        if !fits {
            self.widen();
            self.set(at, value);
        }
    }

    /// Sets the numbers of a day's hours, from its first on.
    pub(super) fn set_day(&mut self, at: usize, hours: &Hours) {
        fn set<T: TryFrom<i64> + Copy>(v: &mut [T], hours: &Hours) -> bool {
            match hours {
                Hours::Same(value) => T::try_from(*value).map(|value| v.fill(value)).is_ok(),
                Hours::Each(values) => v
                    .iter_mut()
                    .zip(values)
                    .all(|(place, value)| T::try_from(*value).map(|value| *place = value).is_ok()),
            }
        }
        let day = at..at + 24;
        let fits = match self {
            Self::Zeros(_) => *hours == Hours::Same(0),
            Self::W8(v) => set(&mut v[day], hours),
            Self::W16(v) => set(&mut v[day], hours),
            Self::W32(v) => set(&mut v[day], hours),
            Self::W64(v) => set(&mut v[day], hours),
        };
        if !fits {
            self.widen();
            self.set_day(at, hours);
        }
    }

    /// Zeros in front and behind.
    pub(super) fn grow(&mut self, front: usize, back: usize) {
        fn grow<T: Copy + Default>(v: &mut Vec<T>, front: usize, back: usize) {
            // By exact size: there are thousands of columns, and an hour is added at a time.
            v.reserve_exact(front + back);
            v.resize(v.len() + front + back, T::default());
            let old = v.len() - front - back;
            v[..old + front].rotate_right(front);
        }
        match self {
            Self::Zeros(length) => *length += front + back,
            Self::W8(v) => grow(v, front, back),
            Self::W16(v) => grow(v, front, back),
            Self::W32(v) => grow(v, front, back),
            Self::W64(v) => grow(v, front, back),
        }
    }

    pub(super) fn drop_front(&mut self, count: usize) {
        match self {
            Self::Zeros(length) => *length -= count,
            Self::W8(v) => drop(v.drain(..count)),
            Self::W16(v) => drop(v.drain(..count)),
            Self::W32(v) => drop(v.drain(..count)),
            Self::W64(v) => drop(v.drain(..count)),
        }
    }

    pub(super) fn sum(&self, from: usize, to: usize) -> i64 {
        match self {
            Self::Zeros(_) => 0,
            Self::W8(v) => v[from..to].iter().map(|x| i64::from(*x)).sum(),
            Self::W16(v) => v[from..to].iter().map(|x| i64::from(*x)).sum(),
            Self::W32(v) => v[from..to].iter().map(|x| i64::from(*x)).sum(),
            Self::W64(v) => v[from..to].iter().sum(),
        }
    }

    /// The numbers of a column of sixty.
    pub(super) fn sixty(&self) -> [i64; 60] {
        use std::array::from_fn;
        match self {
            Self::Zeros(_) => [0; 60],
            Self::W8(v) => from_fn(|at| i64::from(v[at])),
            Self::W16(v) => from_fn(|at| i64::from(v[at])),
            Self::W32(v) => from_fn(|at| i64::from(v[at])),
            Self::W64(v) => from_fn(|at| v[at]),
        }
    }

    pub(super) fn is_zero(&self, from: usize, to: usize) -> bool {
        match self {
            Self::Zeros(_) => true,
            Self::W8(v) => v[from..to].iter().all(|x| *x == 0),
            Self::W16(v) => v[from..to].iter().all(|x| *x == 0),
            Self::W32(v) => v[from..to].iter().all(|x| *x == 0),
            Self::W64(v) => v[from..to].iter().all(|x| *x == 0),
        }
    }

    /// Copies the numbers from a place on; 0 where there are none.
    pub(super) fn copy_to(&self, at: i64, out: &mut [f64]) {
        fn copy<T: Copy>(v: &[T], at: i64, out: &mut [f64], number: impl Fn(T) -> f64) {
            let before = usize::try_from(-at).unwrap_or(0).min(out.len());
            let (zeros, out) = out.split_at_mut(before);
            let rest = v.get(usize::try_from(at).unwrap_or(0)..).unwrap_or_default();
            let (there, after) = out.split_at_mut(rest.len().min(out.len()));
            zeros.fill(0.0);
            there.iter_mut().zip(rest).for_each(|(out, value)| *out = number(*value));
            after.fill(0.0);
        }
        match self {
            Self::Zeros(_) => out.fill(0.0),
            Self::W8(v) => copy(v, at, out, f64::from),
            Self::W16(v) => copy(v, at, out, f64::from),
            Self::W32(v) => copy(v, at, out, f64::from),
            Self::W64(v) => copy(v, at, out, |value| value as f64),
        }
    }

    fn widen(&mut self) {
        *self = match self {
            Self::Zeros(length) => Self::W8(vec![0; *length]),
            Self::W8(v) => Self::W16(v.iter().map(|x| i16::from(*x)).collect()),
            Self::W16(v) => Self::W32(v.iter().map(|x| i32::from(*x)).collect()),
            Self::W32(v) => Self::W64(v.iter().map(|x| i64::from(*x)).collect()),
            Self::W64(v) => Self::W64(std::mem::take(v)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_widens_without_losing_a_value() {
        let mut column = Column::zeros(4);
        for (at, value) in [(0, -128), (1, 40_000), (2, 1 << 40), (3, -7)] {
            column.set(at, value);
        }
        assert_eq!(
            (0..4).map(|at| column.get(at)).collect::<Vec<_>>(),
            [-128, 40_000, 1 << 40, -7]
        );
        column.grow(2, 1);
        assert_eq!((column.get(0), column.get(3), column.get(6)), (0, 40_000, 0));
        assert_eq!(column.sum(2, 4), 39_872);
    }
}
