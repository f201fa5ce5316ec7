//! What `likeness bench` measured, as a report: for JSON and for a person.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::models::LoadedModel;

/// CPU milliseconds of several rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Times {
    /// Of the fastest round.
    pub min_ms: f64,
    /// Of the middle one.
    pub median_ms: f64,
}

impl Times {
    /// Of these rounds, at least one.
    pub fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        Self { min_ms: rounds[0], median_ms: rounds[rounds.len() / 2] }
    }
}

/// One network over one input.
#[derive(Debug, Serialize)]
pub struct NetworkReport {
    /// What it is for.
    pub role: &'static str,
    /// The input's height and width.
    pub input: [usize; 2],
    /// How many rounds were measured.
    pub rounds: usize,
    /// CPU time of a forward pass.
    #[serde(flatten)]
    pub times: Times,
    /// Of the fastest round.
    pub gflops: f64,
    /// The same, of the peak.
    pub percent_of_peak: f64,
}

/// One stage, both photographs together.
#[derive(Debug, Serialize)]
pub struct StageReport {
    /// Its name.
    pub stage: &'static str,
    /// CPU time.
    #[serde(flatten)]
    pub times: Times,
}

/// Two photographs, compared in one mode.
#[derive(Debug, Serialize)]
pub struct ComparisonReport {
    /// `exact` or `fast`.
    pub mode: &'static str,
    /// How many rounds were measured.
    pub rounds: usize,
    /// CPU time from bytes to verdict, weights loaded.
    #[serde(flatten)]
    pub times: Times,
    /// Its stages, in order.
    pub stages: Vec<StageReport>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct BenchReport {
    /// The kernels in use.
    pub kernels: &'static str,
    /// This core's peak with them, measured in this run.
    pub peak_gflops: f64,
    /// The networks that are loaded.
    pub networks: Vec<NetworkReport>,
    /// The comparison in `exact` and in `fast`.
    pub comparisons: Vec<ComparisonReport>,
    /// Why no comparison was measured.
    pub not_compared: Option<&'static str>,
    /// Which weights were measured.
    pub models: Vec<LoadedModel>,
    /// What is missing or wrong, role by role.
    pub missing: BTreeMap<&'static str, String>,
}

impl BenchReport {
    /// For a person.
    pub fn lines(&self) -> String {
        let mut text =
            format!("kernels {}, measured peak of this core {:.0} GFLOP/s\n", self.kernels, self.peak_gflops);
        text += &format!("{:<20}{:>9}{:>9}{:>9}{:>8}\n", "network", "min ms", "median", "GFLOP/s", "% peak");
        text.extend(self.networks.iter().map(NetworkReport::line));
        text.extend(self.comparisons.iter().map(ComparisonReport::lines));
        text.extend(self.not_compared.iter().map(|why| format!("stages not measured: {why}\n")));
        for (role, why) in &self.missing {
            text += &format!("{role:9}  missing\n  {}\n", why.replace('\n', "\n  "));
        }
        text
    }
}

impl NetworkReport {
    fn line(&self) -> String {
        let [height, width] = self.input;
        let title = format!("{} {height}x{width}", self.role);
        let rate = format!("{:>9.0}{:>8.0}", self.gflops, self.percent_of_peak);
        format!("{title:<20}{}{rate}\n", columns(self.times))
    }
}

impl ComparisonReport {
    fn lines(&self) -> String {
        let title = format!("compare, {}", self.mode);
        let stage = |report: &StageReport| format!("  {:<18}{}\n", report.stage, columns(report.times));
        format!("{title:<20}{}\n{}", columns(self.times), self.stages.iter().map(stage).collect::<String>())
    }
}

fn columns(times: Times) -> String {
    format!("{:>9.2}{:>9.2}", times.min_ms, times.median_ms)
}
