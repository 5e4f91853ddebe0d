//! A column of whole numbers in as few bytes as they need, because there are thousands of minutes and
//! hours for each of many thousand SLOs, and most of their numbers are small or alike.

use super::day::Hours;

/// Whole numbers, each kept as what it is more than a base, all in 0, 4, 8, 16, 24, 32 or 64 bits. The
/// few that do not fit are exceptions; when there are many, a better base and width are chosen. All
/// arithmetic is modulo 2^64, so that sums are those of the numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    base: i64,
    /// A cell of so many bits for each number, then the exceptions by place. The cell of an exception is 0.
    bytes: Box<[u8]>,
    length: u32,
    /// Beyond so many exceptions a better base and width are looked for.
    most: u16,
    bits: u8,
    /// Whether nothing has changed since base and width were chosen.
    is_settled: bool,
}

/// Bytes of an exception: its place, and how much more than the base it is.
const EXCEPTION: usize = 12;
/// How many bits cells may have, but for 64, in which all numbers fit.
const WIDTHS: [u8; 6] = [0, 4, 8, 16, 24, 32];

/// By values, however they are stored.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && (0..self.len()).all(|at| self.get(at) == other.get(at))
    }
}

impl Eq for Column {}

impl Column {
    pub(super) fn zeros(length: usize) -> Self {
        Self { length: u32::try_from(length).unwrap_or(u32::MAX), ..Self::default() }
    }

    /// These numbers, in the fewest bytes.
    pub(super) fn of(values: &[i64]) -> Self {
        let Choice { base, bits, exceptions } = Choice::best(values);
        let cells = bytes_of(values.len(), bits);
        let mut bytes = Vec::with_capacity(cells + exceptions * EXCEPTION);
        bytes.resize(cells, 0);
        for (at, value) in values.iter().enumerate() {
            let more = value.wrapping_sub(base);
            if fits(more, bits) {
                put(&mut bytes, bits, at, more);
            } else {
                bytes.extend_from_slice(&exception(at, more));
            }
        }
        let most = (4 + values.len() / 64).max(2 * exceptions);
        Self {
            base,
            bytes: bytes.into_boxed_slice(),
            length: u32::try_from(values.len()).unwrap_or(u32::MAX),
            most: u16::try_from(most).unwrap_or(u16::MAX),
            bits,
            is_settled: true,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.length as usize
    }

    pub(super) fn get(&self, at: usize) -> i64 {
        let more = match self.find(at) {
            Ok(found) => read_exception(&self.exceptions()[found]).1,
            Err(_) => cell(&self.bytes, self.bits, at),
        };
        self.base.wrapping_add(more)
    }

    pub(super) fn set(&mut self, at: usize, value: i64) {
        let more = value.wrapping_sub(self.base);
        let found = self.find(at);
        let is_cell = fits(more, self.bits);
        self.is_settled = false;
        put(&mut self.bytes, self.bits, at, if is_cell { more } else { 0 });
        match found {
            Ok(place) if is_cell => self.splice(place, 1, &[]),
            Ok(place) => self.splice(place, 1, &exception(at, more)),
            Err(_) if is_cell => {}
            Err(place) => {
                self.splice(place, 0, &exception(at, more));
                if self.exceptions().len() > usize::from(self.most) {
                    *self = Self::of(&self.values());
                }
            }
        }
    }

    /// Chooses base and width anew if numbers have changed.
    pub(super) fn settle(&mut self) {
        if !self.is_settled {
            *self = Self::of(&self.values());
        }
    }

    /// Appends the numbers of a day's hours.
    pub(super) fn push_day(&mut self, hours: &Hours) {
        let first = self.len();
        match hours {
            Hours::Same(value) if first == 0 => *self = Self::of(&[*value; 24]),
            Hours::Each(values) if first == 0 => *self = Self::of(values),
            Hours::Same(value) => {
                self.make_room(0, 24);
                if *value != self.base {
                    (first..first + 24).for_each(|at| self.set(at, *value));
                }
            }
            Hours::Each(values) => {
                self.make_room(0, 24);
                values.iter().enumerate().for_each(|(at, value)| self.set(first + at, *value));
            }
        }
    }

    /// Zeros in front and behind. A base and a width that suited the first numbers need not suit the
    /// many that come: both are chosen anew whenever the column has become twice as long.
    pub(super) fn grow(&mut self, front: usize, back: usize) {
        if self.len().checked_ilog2() < (self.len() + front + back).checked_ilog2() {
            self.settle();
        }
        self.make_room(front, back);
        if self.base != 0 {
            let length = self.len();
            (0..front).chain(length - back..length).for_each(|at| self.set(at, 0));
        }
    }

    /// Places in front and behind, which hold the base.
    fn make_room(&mut self, front: usize, back: usize) {
        let length = self.len() + front + back;
        if self.bits > 0 || (front > 0 && !self.bytes.is_empty()) {
            let cells = bytes_of(length, self.bits);
            let mut bytes = Vec::with_capacity(cells + self.exceptions().len() * EXCEPTION);
            if (front * usize::from(self.bits)).is_multiple_of(8) {
                bytes.resize(bytes_of(front, self.bits), 0);
                bytes.extend_from_slice(&self.bytes[..self.end_of_cells()]);
                bytes.resize(cells, 0);
            } else {
                bytes.resize(cells, 0);
                for at in 0..self.len() {
                    put(&mut bytes, self.bits, front + at, cell(&self.bytes, self.bits, at));
                }
            }
            let moved = self.exceptions().iter().map(read_exception);
            bytes.extend(moved.flat_map(|(at, more)| exception(at + front, more)));
            self.bytes = bytes.into_boxed_slice();
        }
        self.length = u32::try_from(length).unwrap_or(u32::MAX);
    }

    pub(super) fn drop_front(&mut self, count: usize) {
        if count > 0 {
            *self = Self::of(&self.values()[count..]);
        }
    }

    pub(super) fn sum(&self, from: usize, to: usize) -> i64 {
        fn all<const W: usize>(bytes: &[u8], number: impl Fn([u8; W]) -> i64) -> i64 {
            bytes.as_chunks().0.iter().map(|bytes| number(*bytes)).fold(0, i64::wrapping_add)
        }
        let bytes = self.cells(from, to);
        let cells = match self.bits {
            0 => 0,
            4 => (from..to).map(|at| half(&self.bytes, at)).sum(),
            8 => all(bytes, one),
            16 => all(bytes, two),
            24 => all(bytes, three),
            32 => all(bytes, four),
            _ => all(bytes, i64::from_le_bytes),
        };
        let sum = self.base.wrapping_mul((to - from) as i64).wrapping_add(cells);
        let within = self.exceptions_within(from, to);
        within.fold(sum, |sum, (_, more)| sum.wrapping_add(more))
    }

    /// The numbers of a column of sixty.
    pub(super) fn sixty(&self) -> [i64; 60] {
        let mut values = [0; 60];
        self.read(&mut values);
        values
    }

    pub(super) fn is_zero(&self, from: usize, to: usize) -> bool {
        if self.base != 0 || self.bits == 4 {
            return (from..to).all(|at| self.get(at) == 0);
        }
        self.cells(from, to).iter().all(|byte| *byte == 0)
            && self.exceptions_within(from, to).next().is_none()
    }

    /// Copies the numbers from a place on; 0 where there are none.
    pub(super) fn copy_to(&self, at: i64, out: &mut [f64]) {
        let before = usize::try_from(-at).unwrap_or(0).min(out.len());
        let (zeros, out) = out.split_at_mut(before);
        let from = usize::try_from(at).unwrap_or(0).min(self.len());
        let to = (from + out.len()).min(self.len());
        let (there, after) = out.split_at_mut(to - from);
        zeros.fill(0.0);
        after.fill(0.0);
        there.fill(self.base as f64);
        // Whole numbers below 2^52, whose sum is exact.
        if self.base.unsigned_abs() < 1 << 52 && self.bits < 64 {
            self.zip(from, there, |number, more| *number += more as f64);
        } else {
            let number = |more| self.base.wrapping_add(more) as f64;
            self.zip(from, there, |place, more| *place = number(more));
        }
        for (place, more) in self.exceptions_within(from, to) {
            there[place - from] = self.base.wrapping_add(more) as f64;
        }
    }

    fn values(&self) -> Vec<i64> {
        let mut values = vec![0; self.len()];
        self.read(&mut values);
        values
    }

    fn read(&self, values: &mut [i64]) {
        values.fill(self.base);
        self.zip(0, values, |value, more| *value = value.wrapping_add(more));
        for (at, more) in self.exceptions_within(0, values.len()) {
            values[at] = self.base.wrapping_add(more);
        }
    }

    /// What cells from a place on hold, each with an element; nothing where cells have no bytes.
    fn zip<T>(&self, from: usize, out: &mut [T], take: impl Fn(&mut T, i64)) {
        fn each<const W: usize, T>(
            bytes: &[u8],
            out: &mut [T],
            take: impl Fn(&mut T, i64),
            number: impl Fn([u8; W]) -> i64,
        ) {
            let (cells, _) = bytes.as_chunks();
            out.iter_mut().zip(cells).for_each(|(out, bytes)| take(out, number(*bytes)));
        }
        let bytes = self.cells(from, from + out.len());
        match self.bits {
            0 => {}
            4 => {
                let places = out.iter_mut().zip(from..);
                places.for_each(|(out, at)| take(out, half(&self.bytes, at)));
            }
            8 => each(bytes, out, take, one),
            16 => each(bytes, out, take, two),
            24 => each(bytes, out, take, three),
            32 => each(bytes, out, take, four),
            _ => each(bytes, out, take, i64::from_le_bytes),
        }
    }

    /// The bytes of cells `from..to`, where cells are whole bytes.
    fn cells(&self, from: usize, to: usize) -> &[u8] {
        let width = usize::from(self.bits / 8);
        &self.bytes[from * width..to * width]
    }

    /// How many bytes all cells have; the exceptions follow.
    const fn end_of_cells(&self) -> usize {
        bytes_of(self.len(), self.bits)
    }

    fn exceptions(&self) -> &[[u8; EXCEPTION]] {
        self.bytes[self.end_of_cells()..].as_chunks().0
    }

    fn find(&self, at: usize) -> Result<usize, usize> {
        self.exceptions().binary_search_by_key(&at, |bytes| read_exception(bytes).0)
    }

    /// Place and how much more than the base.
    fn exceptions_within(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, i64)> {
        let exceptions = self.exceptions();
        let first = exceptions.partition_point(|bytes| read_exception(bytes).0 < from);
        let rest = exceptions[first..].iter().map(read_exception);
        rest.take_while(move |(at, _)| *at < to)
    }

    /// Replaces so many exceptions.
    fn splice(&mut self, place: usize, gone: usize, new: &[u8]) {
        let first = self.end_of_cells() + place * EXCEPTION;
        let last = first + gone * EXCEPTION;
        if new.len() == last - first {
            self.bytes[first..last].copy_from_slice(new);
            return;
        }
        let length = self.bytes.len() + new.len() - (last - first);
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&self.bytes[..first]);
        bytes.extend_from_slice(new);
        bytes.extend_from_slice(&self.bytes[last..]);
        self.bytes = bytes.into_boxed_slice();
    }
}

/// A base and a width for some numbers, and how many of them do not fit.
#[derive(Debug, Clone, Copy)]
struct Choice {
    base: i64,
    bits: u8,
    exceptions: usize,
}

impl Choice {
    /// That which takes the fewest bytes, of some that are likely to.
    fn best(values: &[i64]) -> Self {
        let (Some(min), Some(max)) = (values.iter().min(), values.iter().max()) else {
            return Self { base: 0, bits: 0, exceptions: 0 };
        };
        if min == max {
            return Self { base: *min, bits: 0, exceptions: 0 };
        }
        let mut best = Self { base: 0, bits: 64, exceptions: 0 };
        let mut least = values.len() * 8;
        for bits in WIDTHS {
            let cells = bytes_of(values.len(), bits);
            for base in bases((*min, *max), values[values.len() / 2], span(bits)) {
                if least <= cells {
                    return best;
                }
                let misfits = values.iter().filter(|v| !fits(v.wrapping_sub(base), bits));
                let exceptions = misfits.count();
                if cells + exceptions * EXCEPTION < least {
                    least = cells + exceptions * EXCEPTION;
                    best = Self { base, bits, exceptions };
                }
            }
        }
        best
    }
}

/// Where numbers may lie that reach `span` beyond a base. First 0, which fits what comes best, then
/// with room on both sides, from the least, up to the largest, and around one of them.
fn bases((min, max): (i64, i64), one: i64, span: u64) -> [i64; 5] {
    let range = max.wrapping_sub(min).cast_unsigned();
    let room = (span.saturating_sub(range) / 2).cast_signed();
    let half = (span / 2).cast_signed();
    let up_to_max = max.wrapping_sub(span.cast_signed());
    [0, min.wrapping_sub(room), min, up_to_max, one.wrapping_sub(half)]
}

const fn bytes_of(cells: usize, bits: u8) -> usize {
    (cells * bits as usize).div_ceil(8)
}

/// The most that a cell holds.
const fn span(bits: u8) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

const fn fits(more: i64, bits: u8) -> bool {
    more.cast_unsigned() <= span(bits)
}

/// A cell of half a byte.
fn half(bytes: &[u8], at: usize) -> i64 {
    i64::from(bytes[at / 2] >> (at % 2 * 4) & 15)
}

fn one([byte]: [u8; 1]) -> i64 {
    i64::from(byte)
}

fn two(bytes: [u8; 2]) -> i64 {
    i64::from(u16::from_le_bytes(bytes))
}

fn three([a, b, c]: [u8; 3]) -> i64 {
    i64::from(u32::from_le_bytes([a, b, c, 0]))
}

fn four(bytes: [u8; 4]) -> i64 {
    i64::from(u32::from_le_bytes(bytes))
}

fn cell(bytes: &[u8], bits: u8, at: usize) -> i64 {
    match bits {
        0 => 0,
        4 => half(bytes, at),
        8 => one(bytes.as_chunks().0[at]),
        16 => two(bytes.as_chunks().0[at]),
        24 => three(bytes.as_chunks().0[at]),
        32 => four(bytes.as_chunks().0[at]),
        _ => i64::from_le_bytes(bytes.as_chunks().0[at]),
    }
}

fn put(bytes: &mut [u8], bits: u8, at: usize, more: i64) {
    if bits == 4 {
        let (byte, shift) = (&mut bytes[at / 2], at % 2 * 4);
        *byte = *byte & !(15 << shift) | (more as u8 & 15) << shift;
        return;
    }
    let width = usize::from(bits / 8);
    bytes[at * width..at * width + width].copy_from_slice(&more.to_le_bytes()[..width]);
}

fn exception(at: usize, more: i64) -> [u8; EXCEPTION] {
    let (mut bytes, at) = ([0; EXCEPTION], u32::try_from(at).unwrap_or(u32::MAX));
    bytes[..4].copy_from_slice(&at.to_le_bytes());
    bytes[4..].copy_from_slice(&more.to_le_bytes());
    bytes
}

fn read_exception(bytes: &[u8; EXCEPTION]) -> (usize, i64) {
    let [a, b, c, d, more @ ..] = *bytes;
    (u32::from_le_bytes([a, b, c, d]) as usize, i64::from_le_bytes(more))
}

#[cfg(test)]
mod tests;
