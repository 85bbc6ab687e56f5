//! The figures of a bench as Markdown.

use std::fmt;
use std::time::Duration;

use super::load::Round;

/// Rounds of one figure or limit, and what they used.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) rounds: Vec<Round>,
    /// Processor seconds of service, Redis and load generator over all rounds.
    pub(super) used: [f64; 3],
}

impl Series {
    /// Median of the rounds, a second.
    pub(super) fn per_second(&self) -> f64 {
        let mut rates = self.rates();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }

    fn rates(&self) -> Vec<f64> {
        self.rounds.iter().map(Round::per_second).collect()
    }

    /// The slowest and the fastest round.
    fn range(&self) -> (f64, f64) {
        let rates = self.rates();
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        (least, rates.iter().copied().fold(0.0, f64::max))
    }

    /// Of all calls of all rounds.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let waits = self.rounds.iter().flat_map(|round| &round.waits);
        let mut waits: Vec<Duration> = waits.copied().collect();
        waits.sort_unstable();
        let index = waits.len() * percent / 100;
        let last = waits.last().copied().unwrap_or_default();
        waits.get(index).copied().unwrap_or(last)
    }

    /// Processor seconds for a thousand of what was done.
    pub(super) fn used_per_thousand(&self) -> [f64; 3] {
        let done: f64 = self.rounds.iter().map(|round| f64::from(round.done)).sum();
        self.used.map(|seconds| seconds * 1_000.0 / done)
    }
}

/// Something that was measured, and what it is measured against.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// People in line.
    pub(super) size: String,
    pub(super) figure: &'static str,
    pub(super) series: Series,
    /// Name and value of the limit; a limit has none.
    pub(super) limit: Option<(&'static str, f64)>,
    /// The least ratio that is good.
    pub(super) bar: Option<f64>,
    /// Peak memory of service and Redis, MB.
    pub(super) peaks: [f64; 2],
}

/// A bench, told.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub(super) title: String,
    /// What is counted in the first column.
    pub(super) size: &'static str,
    pub(super) rows: Vec<Row>,
    /// Sentences below it.
    pub(super) notes: Vec<String>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}\n", self.title)?;
        writeln!(
            f,
            "| {} | figure | a second: median | slowest, fastest round | p50 ms | p95 ms | p99 ms | CPU s per 1,000: service | Redis | load \
             | peak RSS MB: service | Redis | limit | ratio | bar |",
            self.size
        )?;
        writeln!(f, "|{}", "---|".repeat(15))?;
        for row in &self.rows {
            row.fmt(f)?;
        }
        writeln!(f)?;
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        Ok(())
    }
}

impl Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.series.range();
        let rate = self.series.per_second();
        let [p50, p95, p99] =
            [50, 95, 99].map(|percent| self.series.percentile(percent).as_secs_f64() * 1_000.0);
        let [service, redis, load] = self.series.used_per_thousand();
        write!(
            f,
            "| {} | {} | {rate:.0} | {least:.0}, {most:.0} | {p50:.2} | {p95:.2} | {p99:.2} ",
            self.size, self.figure
        )?;
        write!(f, "| {service:.3} | {redis:.3} | {load:.3} ")?;
        write!(f, "| {:.0} | {:.0} ", self.peaks[0], self.peaks[1])?;
        let Some((name, limit)) = self.limit else {
            return writeln!(f, "| - | - | - |");
        };
        let percent = rate / limit * 100.0;
        write!(f, "| {name} {limit:.0} | {percent:.0} % ")?;
        match self.bar {
            Some(bar) => {
                let verdict = if percent >= bar { "met" } else { "MISSED" };
                writeln!(f, "| >= {bar:.0} %: {verdict} |")
            }
            None => writeln!(f, "| - |"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(milliseconds: &[u64]) -> Series {
        let round = |ms: &u64| Round {
            took: Duration::from_millis(*ms),
            waits: vec![Duration::from_millis(*ms)],
            done: 100,
        };
        Series {
            rounds: milliseconds.iter().map(round).collect(),
            used: [1.0, 2.0, 3.0],
        }
    }

    #[test]
    fn a_row_has_the_median_and_its_ratio() {
        let row = Row {
            size: "10".to_owned(),
            figure: "poll",
            series: series(&[100, 200, 1_000]),
            limit: Some(("echo", 1_000.0)),
            bar: Some(70.0),
            peaks: [5.0, 6.0],
        };
        let table = Table {
            title: "B".to_owned(),
            size: "people",
            rows: vec![row],
            notes: vec!["so".to_owned()],
        };
        let text = table.to_string();
        let told = "| 10 | poll | 500 | 100, 1000 | 200.00 | 1000.00 | 1000.00 | 3.333 | 6.667 | 10.000 | 5 | 6 | echo 1000 | 50 % | >= 70 %: MISSED |";
        assert!(text.contains(told), "{text}");
        assert!(text.ends_with("\n- so\n"), "{text}");
    }
}
