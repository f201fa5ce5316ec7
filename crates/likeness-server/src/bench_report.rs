//! The report of `likeness bench`, as JSON and as text.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::models::LoadedModel;

/// The CPU time of several rounds, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Times {
    /// The value of the fastest round.
    pub min_ms: f64,
    /// The median time.
    pub median_ms: f64,
}

impl Times {
    /// Computes both times; `rounds` must not be empty.
    pub fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        Self { min_ms: rounds[0], median_ms: rounds[rounds.len() / 2] }
    }
}

/// The measurements of one network on one input size.
#[derive(Debug, Serialize)]
pub struct NetworkReport {
    /// The network's role.
    pub role: &'static str,
    /// The input's height and width.
    pub input: [usize; 2],
    /// How many rounds were measured.
    pub rounds: usize,
    /// CPU time of a forward pass.
    #[serde(flatten)]
    pub times: Times,
    /// The value of the fastest round.
    pub gflops: f64,
    /// The GFLOP/s of the fastest round, in percent of the peak.
    pub percent_of_peak: f64,
}

/// The CPU time of one stage for both photographs together.
#[derive(Debug, Serialize)]
pub struct StageReport {
    /// The stage's name.
    pub stage: &'static str,
    /// The CPU time of the stage.
    #[serde(flatten)]
    pub times: Times,
}

/// The measurements of a comparison of two photographs in one mode.
#[derive(Debug, Serialize)]
pub struct ComparisonReport {
    /// `exact` or `fast`.
    pub mode: &'static str,
    /// How many rounds were measured.
    pub rounds: usize,
    /// The CPU time from bytes to verdict, with weights loaded before.
    #[serde(flatten)]
    pub times: Times,
    /// The stages, in order.
    pub stages: Vec<StageReport>,
}

/// All measurements of a run.
#[derive(Debug, Serialize)]
pub struct BenchReport {
    /// The kernels in use.
    pub kernels: &'static str,
    /// This core's peak GFLOP/s with these kernels, measured in this run.
    pub peak_gflops: f64,
    /// The measurements of the loaded networks.
    pub networks: Vec<NetworkReport>,
    /// The measurements of a comparison in `exact` and in `fast`.
    pub comparisons: Vec<ComparisonReport>,
    /// The reason why no comparison was measured, if none was.
    pub not_compared: Option<&'static str>,
    /// The weights that were measured.
    pub models: Vec<LoadedModel>,
    /// The error of each missing or wrong model, by role.
    pub missing: BTreeMap<&'static str, String>,
}

impl BenchReport {
    /// Returns the report as text.
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
