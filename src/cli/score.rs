//! `gyro score`: the diagnosis against the catalogue of faults.

use std::path::PathBuf;

use super::Engine;
use crate::score::Plan;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of the reference models and their held-out text
    #[arg(long, value_name = "DIR", default_value = "models/reference")]
    models: PathBuf,
    /// Folder of the score; a killed one goes on where it was
    #[arg(long, value_name = "DIR", default_value = "reports/score")]
    out: PathBuf,
    /// Every fault, few pairs and few healthy deployments
    #[arg(long)]
    quick: bool,
    /// So many faults, pairs and healthy deployments
    #[arg(long, value_name = "N", conflicts_with = "quick")]
    sample: Option<usize>,
    /// Diagnose every fault also with a catalogue that does not hold it: axis, place and onset must be right all the same
    #[arg(long)]
    unseen: bool,
    /// Cases that are diagnosed at once; default: one a core
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    #[command(flatten)]
    engine: Engine,
}

impl Arguments {
    fn plan(&self) -> Plan {
        match self.sample {
            Some(count) => Plan::sample(count, self.unseen),
            None if self.quick => Plan::quick(self.unseen),
            None => Plan::full(self.unseen),
        }
    }
}

#[cfg(feature = "libtorch")]
pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<u8> {
    use crate::ablation::condition::catalogue;
    use crate::replay::{Alone, device_name, device_named, prepare_threads};
    use crate::run::score;

    let device = device_named(arguments.engine.device.as_deref())?;
    let request = score::Request {
        models: arguments.models.clone(),
        out: arguments.out.clone(),
        plan: arguments.plan(),
        // Small models gain more from two cases at once than from two threads on one.
        threads: prepare_threads(Some(arguments.engine.threads.unwrap_or(1))),
        jobs: arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        device: device_name(device),
    };
    let score = score::score(&request, &catalogue(), &|dir| Ok(Box::new(Alone::load(dir, device)?)), &|news| {
        eprintln!("{news}");
    })?;
    for page in crate::reports::score_pages(&score)? {
        crate::baselines::write_page(&request.out, &page.path, &page.bytes)?;
    }
    eprintln!("report: {}", request.out.join("report.html").display());
    super::commands::say(crate::reports::score_lead(&score))
}

#[cfg(not(feature = "libtorch"))]
pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<u8> {
    let _ = arguments.plan();
    anyhow::bail!(super::commands::WITHOUT)
}
