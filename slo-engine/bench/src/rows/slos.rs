//! The SLO files of rows that use generated traffic.

use std::fmt::Write as _;

/// The target of every SLO here.
pub(crate) const OBJECTIVE: f64 = 0.999;

/// The latency SLOs of a service: name, the threshold as written, and the bucket that counts as good.
pub(crate) const LATENCIES: [(&str, &str, &str); 2] =
    [("latency", "500ms", "0.5"), ("latency-between", "300ms", "0.25")];

/// The generator's name of a service.
pub(crate) fn name(service: u32) -> String {
    format!("svc-{service:04}")
}

/// A file with an availability SLO for each service, and latency SLOs for the first ones.
pub(crate) fn traffic(services: u32, histograms: u32, windows: &str) -> String {
    let mut text = String::new();
    for service in 0..services {
        let name = name(service);
        head(&mut text, &name);
        availability(&mut text, &name, windows);
        for (slo, under, _) in LATENCIES.iter().filter(|_| service < histograms) {
            let _ = write!(
                text,
                "  - name: {slo}\n    objective: 99.9%\n    window: {windows}\n    indicator:\n      latency: \
                 {{histogram: 'http_request_duration_seconds{{service=\"{name}\"}}', under: {under}}}\n"
            );
        }
    }
    text
}

/// A file with an availability SLO for each of these services.
pub(crate) fn availability_of(services: &[&str], windows: &str) -> String {
    let mut text = String::new();
    for name in services {
        head(&mut text, name);
        availability(&mut text, name, windows);
    }
    text
}

fn head(text: &mut String, name: &str) {
    let _ = write!(
        text,
        "---\napiVersion: headroom/v1\nkind: Service\nservice: {name}\nowner: bench\ntier: 3\n\
         environment: bench\nslos:\n"
    );
}

fn availability(text: &mut String, name: &str, windows: &str) {
    let _ = write!(
        text,
        "  - name: availability\n    objective: 99.9%\n    window: {windows}\n    indicator:\n      ratio: \
         {{total: 'http_requests_total{{service=\"{name}\"}}', bad: '{{code=~\"5..\"}}'}}\n"
    );
}
