//! Requests and answers, and the parts of HTTP that they need.

/// A request, as far as an answer depends on it.
pub struct Request<'a> {
    /// Without the query.
    pub path: &'a str,
    /// The client prefers OpenMetrics to the Prometheus text format.
    pub open_metrics: bool,
}

pub struct Answer {
    pub status: u16,
    /// Content-Type.
    pub kind: &'static str,
    pub body: String,
}

/// The head of a response; `more` are further header lines.
pub fn head(status: u16, kind: &str, bytes: usize, closes: bool, more: &str) -> String {
    let connection = if closes { "close" } else { "keep-alive" };
    format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\nCache-Control: no-store\r\n\
         Connection: {connection}\r\n{more}\r\n",
        reason(status)
    )
}

pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}

/// The path of a request target: `/metrics` for `/metrics?x=1` and for `http://host:9476/metrics`.
pub fn path(target: &str) -> &str {
    let target = match target.split_once("://") {
        Some(("http" | "https", rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    };
    target.split(['?', '#']).next().unwrap_or_default()
}

/// Whether an Accept header prefers OpenMetrics to the Prometheus text format.
pub fn prefers_open_metrics(accept: &str) -> bool {
    let weight = |kind: &str| {
        let entries = accept.split(',').map(|entry| entry.split(';').map(str::trim));
        let weights = entries.filter_map(|mut parts| {
            let named = parts.next() == Some(kind);
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok());
            named.then_some(weight.unwrap_or(1.0))
        });
        weights.fold(0.0, f64::max)
    };
    let open = weight("application/openmetrics-text");
    open > 0.0 && open >= weight("text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_reduced_to_their_path() {
        let cases = [
            ("/livez", "/livez"),
            ("/livez?verbose=1", "/livez"),
            ("http://localhost:9476/metrics?a", "/metrics"),
            ("http://localhost", "/"),
            ("/a://b", "/a://b"),
            ("*", "*"),
        ];
        for (target, wanted) in cases {
            assert_eq!(path(target), wanted, "{target}");
        }
    }

    #[test]
    fn the_scraper_chooses_the_metrics_format() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        let cases = [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            (prometheus, true),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.9", false),
            ("application/openmetrics-text;q=0", false),
        ];
        for (accept, wanted) in cases {
            assert_eq!(prefers_open_metrics(accept), wanted, "{accept}");
        }
    }
}
