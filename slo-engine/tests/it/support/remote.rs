//! Native histograms for a real Prometheus: written over remote write, as no text format carries them.

use std::collections::BTreeMap;
use std::time::Duration;

/// A process' native histogram: bucket `i` holds what lies in `(2^((i-1)/2^schema), 2^(i/2^schema)]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Native {
    pub(crate) schema: i32,
    pub(crate) zeros: u64,
    pub(crate) buckets: BTreeMap<i32, u64>,
}

impl Native {
    pub(crate) fn new(schema: i32) -> Self {
        Self { schema, ..Self::default() }
    }

    pub(crate) fn observe(&mut self, value: f64) {
        if value == 0.0 {
            self.zeros += 1;
        } else {
            *self.buckets.entry(bucket_of(value, self.schema)).or_default() += 1;
        }
    }

    /// What a client does whose buckets are too many.
    pub(crate) fn halve_resolution(&mut self) {
        self.schema -= 1;
        for (bucket, count) in std::mem::take(&mut self.buckets) {
            *self.buckets.entry((bucket + 1) >> 1).or_default() += count;
        }
    }

    fn count(&self) -> u64 {
        self.zeros + self.buckets.values().sum::<u64>()
    }

    fn encoded(&self, at: i64) -> Vec<u8> {
        let (mut spans, mut deltas) = (Vec::new(), Vec::new());
        let (mut next, mut before) = (None, 0);
        for (bucket, count) in &self.buckets {
            match spans.last_mut() {
                Some((_, length)) if next == Some(*bucket) => *length += 1,
                _ => spans.push((bucket - next.unwrap_or(0), 1_u64)),
            }
            next = Some(bucket + 1);
            let count = i64::try_from(*count).unwrap();
            varint(&mut deltas, zigzag(count - before));
            before = count;
        }
        let mut out = number(1, self.count());
        out.extend(number(4, zigzag(self.schema.into())));
        out.extend(double(5, 1e-128));
        out.extend(number(6, self.zeros));
        for (offset, length) in spans {
            out.extend(bytes(11, &[number(1, zigzag(offset.into())), number(2, length)].concat()));
        }
        out.extend(bytes(12, &deltas));
        out.extend(number(15, u64::try_from(at).unwrap()));
        out
    }
}

/// The bucket of a value.
pub(crate) fn bucket_of(value: f64, schema: i32) -> i32 {
    (value.log2() * f64::from(schema).exp2()).ceil() as i32
}

/// The upper boundary of a bucket.
pub(crate) fn boundary(bucket: i32, schema: i32) -> f64 {
    (f64::from(bucket) / f64::from(schema).exp2()).exp2()
}

/// A series and its samples by Unix milliseconds, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) numbers: Vec<(i64, f64)>,
    pub(crate) histograms: Vec<(i64, Native)>,
}

/// Sends series to a server, in slices of half an hour.
pub(crate) async fn write(url: &str, all: &[Written]) {
    const SLICE: i64 = 1_800_000;
    let times = |one: &Written| -> Vec<i64> {
        let numbers = one.numbers.iter().map(|(at, _)| *at);
        numbers.chain(one.histograms.iter().map(|(at, _)| *at)).collect()
    };
    let first = all.iter().flat_map(times).min().unwrap();
    let last = all.iter().flat_map(times).max().unwrap();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    for from in (first..=last).step_by(usize::try_from(SLICE).unwrap()) {
        let body: Vec<u8> = all.iter().flat_map(|one| one.encoded(from, from + SLICE)).collect();
        let request = client
            .post(format!("{url}/api/v1/write"))
            .header("content-encoding", "snappy")
            .header("content-type", "application/x-protobuf")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(stored(&body));
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap());
    }
}

impl Written {
    fn encoded(&self, from: i64, to: i64) -> Vec<u8> {
        let mut labels = self.labels.clone();
        labels.sort();
        let mut out = Vec::new();
        for (name, value) in &labels {
            let pair = [bytes(1, name.as_bytes()), bytes(2, value.as_bytes())].concat();
            out.extend(bytes(1, &pair));
        }
        let within = |at: &i64| (from..to).contains(at);
        for (at, value) in self.numbers.iter().filter(|(at, _)| within(at)) {
            let sample = [double(1, *value), number(2, u64::try_from(*at).unwrap())].concat();
            out.extend(bytes(2, &sample));
        }
        for (at, histogram) in self.histograms.iter().filter(|(at, _)| within(at)) {
            out.extend(bytes(4, &histogram.encoded(*at)));
        }
        bytes(1, &out)
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, field << 3);
    varint(&mut out, value);
    out
}

fn double(field: u64, value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, field << 3 | 1);
    out.extend(value.to_le_bytes());
    out
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, field << 3 | 2);
    varint(&mut out, value.len() as u64);
    out.extend(value);
    out
}

/// A snappy block that compresses nothing: its length, then one literal.
fn stored(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, body.len() as u64);
    out.push(63 << 2);
    out.extend(u32::try_from(body.len() - 1).unwrap().to_le_bytes());
    out.extend(body);
    out
}
