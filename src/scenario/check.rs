//! The step from what a file says to what is run: every number in its range, every path resolved.
//!
//! Goes on after a mistake, so that one run of the program shows them all.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::deployed::{self, Deployed};
use super::error::{Mistake, ScenarioError};
use super::written::{Axes, Written, WrittenSizes, WrittenTolerance};
use super::yaml::Source;
use super::{AdaptationPlan, GridShape, ProbeName, Scenario, Sizes, Tolerance};
use crate::checkpoint::Config;
use crate::faults::{AnyFault, Fault, FaultError};
use crate::findings::Question;
use crate::positions::{AnyMethod, Method, MethodError, Scheme};
use crate::units::{Stretch, Tokens};

/// The longest context that is accepted, in tokens: a guard against slips of the keyboard.
const LONGEST: usize = 1 << 24;
/// More mistakes than this are not shown at once.
const MOST_MISTAKES: usize = 20;
/// The width of the windows of the short-range probe, in tokens.
const SHORT_WINDOW: usize = 256;
/// The largest factor: LongRoPE's published record, 4k to 2,048k, is 512.
const FACTORS: RangeInclusive<f64> = 1.0..=1024.0;
/// The text in a checkpoint's folder that its training has not seen.
const HELD_OUT: &str = "held-out.txt";

/// Checks what the file says.
pub(super) fn check(written: Written, source: &Source<'_>) -> Result<Scenario, ScenarioError> {
    let mut checked = Check { source, mistakes: Vec::new() };
    let Deployed { retrofit: deployed, config: deployed_config } = deployed::read(&mut checked, &written);
    checked.lengths(&written);
    checked.methods(&written, &deployed.0);
    checked.candidates(&written, &deployed.0);
    checked.factors(&written, deployed.1);
    checked.questions(&written);
    checked.conditions(&written);
    let latency_lengths = checked.sizes(&written.sizes, written.trained, written.target);
    let tolerance = checked.tolerance(&written.tolerance);
    let (checkpoint, documents) = checked.paths(&written);
    let observed = checked.observed(&written);
    let checkpoints = checked.checkpoints(&written);
    let scheme = scheme_of(&checkpoint);
    let adaptation = checked.adaptation(&written, &deployed.0, scheme, &checkpoints);
    checked.finish()?;

    let WrittenSizes { documents: count, short_windows, attention_documents, attention_every, .. } = written.sizes;
    let ablated_conditions = written.ablate.conditions.clone();
    let (methods, factors, adapted) = axes(written.ablate, &deployed, Tokens(written.deployed.adapted));
    let answered = || written.probes.iter().filter_map(|probe| probe.question()).collect();
    Ok(Scenario {
        name: source.path().file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        path: source.path().to_owned(),
        text: source.text().to_owned(),
        question: written.question.trim().to_owned(),
        checkpoint,
        checkpoints,
        trained: Tokens(written.trained),
        target: Tokens(written.target),
        deployed,
        deployed_config,
        methods,
        factors,
        adapted,
        deployed_adapted: Tokens(written.deployed.adapted),
        conditions: written.deployed.conditions,
        ablated_conditions,
        adaptation,
        scheme,
        candidates: written.candidates,
        observed,
        grid: GridShape::Full,
        only: None,
        decide: written.decide.unwrap_or_else(answered),
        probes: written.probes,
        sizes: Sizes {
            documents: count,
            short_windows,
            attention_documents,
            attention_every,
            latency_lengths,
            latency_blocks: written.sizes.latency_blocks,
            decode_tokens: written.sizes.decode_tokens,
            latency_candidates: written.sizes.latency_candidates,
        },
        tolerance,
        documents,
        seed: written.seed,
        expect: written.expect.into_iter().map(|(question, cause)| (question, cause.axis)).collect(),
    })
}

/// The axes of the grid, each with the deployed value; factors and tokens ascend.
fn axes(
    ablate: Axes,
    (method, factor): &(AnyMethod, Stretch),
    adapted: Tokens,
) -> (Vec<AnyMethod>, Vec<Stretch>, Vec<Tokens>) {
    let mut methods = ablate.methods;
    if !methods.contains(method) {
        methods.insert(0, method.clone());
    }
    let mut factors: Vec<Stretch> = ablate.factors.into_iter().map(Stretch).collect();
    if !factors.contains(factor) {
        factors.push(*factor);
    }
    factors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut tokens: Vec<Tokens> = ablate.adapted.into_iter().map(Tokens).chain([adapted]).collect();
    tokens.sort_unstable();
    tokens.dedup();
    (methods, factors, tokens)
}

/// The mechanism of a checkpoint's weights; RoPE where its configuration cannot be read, which loading will say.
fn scheme_of(checkpoint: &Path) -> Scheme {
    Config::read(checkpoint).map_or(Scheme::Rotary, |config| config.heads.native.scheme())
}

/// A check under way: the text to point into, and the mistakes so far.
pub(super) struct Check<'a> {
    pub(super) source: &'a Source<'a>,
    mistakes: Vec<Mistake>,
}

impl Check<'_> {
    pub(super) fn wrong(
        &mut self,
        at: &str,
        what: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.note(self.source.wrong(at, what, expected, hint));
    }

    pub(super) fn note(&mut self, mistake: Mistake) {
        if self.mistakes.len() < MOST_MISTAKES {
            self.mistakes.push(mistake);
        }
    }

    fn finish(mut self) -> Result<(), ScenarioError> {
        self.mistakes.sort_by_key(|mistake| mistake.place);
        if self.mistakes.is_empty() { Ok(()) } else { Err(ScenarioError::Mistakes(self.mistakes)) }
    }

    fn within<T: PartialOrd + Display>(&mut self, at: &str, value: &T, range: &RangeInclusive<T>, hint: &str) {
        if !range.contains(value) {
            let expected = format!("a number from {} to {}", range.start(), range.end());
            self.wrong(at, format!("out of range: {value}"), expected, hint);
        }
    }

    fn lengths(&mut self, written: &Written) {
        let Written { trained, target, .. } = *written;
        let hint = "lengths are counted in tokens: 8k is `8192`";
        self.within("trained", &trained, &(1..=LONGEST), hint);
        self.within("target", &target, &(1..=LONGEST), hint);
        if target < trained {
            let what = format!("the target length {target} is below the trained length {trained}");
            self.wrong("target", what, format!("at least {trained}"), "exchange `trained` and `target`?");
        }
    }

    fn methods(&mut self, written: &Written, deployed: &AnyMethod) {
        self.method("deployed.method", deployed);
        if written.ablate.methods.is_empty() {
            let hint = "write for example `methods: [none, ntk, yarn]`; `gyro list methods` names them all";
            self.wrong("ablate.methods", "no methods to compare", "at least one method", hint);
        }
        for (index, method) in written.ablate.methods.iter().enumerate() {
            self.method(&format!("ablate.methods[{index}]"), method);
        }
        self.no_repeats("ablate.methods", &written.ablate.methods, AnyMethod::label);
    }

    fn candidates(&mut self, written: &Written, deployed: &AnyMethod) {
        let Some(candidates) = &written.candidates else { return };
        if candidates.is_empty() {
            let hint = "leave `candidates` out to weigh every method of the grid";
            self.wrong("candidates", "no methods to weigh", "at least one method", hint);
        }
        for (index, method) in candidates.iter().enumerate() {
            if !written.ablate.methods.contains(method) && deployed != method {
                let what = format!("`{}` is not measured", method.label());
                let hint = "add it to `ablate.methods` as it is written here";
                self.wrong(&format!("candidates[{index}]"), what, "a method of the grid", hint);
            }
        }
    }

    fn method(&mut self, at: &str, method: &AnyMethod) {
        let Err(error) = method.check() else { return };
        let what = error.to_string();
        match error {
            MethodError::Parameter { method, name, expected, .. } => {
                self.wrong(
                    &format!("{at}.{method}.{name}"),
                    what,
                    expected,
                    "`gyro list methods` says what each method does",
                );
            }
            MethodError::Factor { .. } | MethodError::Foreign { .. } => {
                self.wrong(at, what, "a number of at least 1", "`gyro list methods` says what each method does");
            }
        }
    }

    fn conditions(&mut self, written: &Written) {
        let (deployed, tried) = (&written.deployed.conditions, &written.ablate.conditions);
        for (list, faults) in [("deployed.conditions", deployed), ("ablate.conditions", tried)] {
            for (index, fault) in faults.iter().enumerate() {
                if let Err(FaultError::Parameter { fault, name, expected, got }) = fault.check() {
                    let what = format!("`{name}` of `{fault}` must be {expected}, got {got}");
                    let at = format!("{list}[{index}].{fault}.{name}");
                    self.wrong(&at, what, expected, "`gyro list faults` says what each fault does");
                }
            }
            self.no_repeats(list, faults, AnyFault::label);
        }
    }

    fn factors(&mut self, written: &Written, deployed: Stretch) {
        let ratio = written.target as f64 / written.trained as f64;
        let hint = if ratio >= 1.0 && ratio.is_finite() {
            format!("1 leaves the context as trained; target / trained is {ratio}")
        } else {
            "1 leaves the context as trained; usual is target / trained".to_owned()
        };
        self.within("deployed.factor", &deployed.0, &FACTORS, &hint);
        if written.ablate.factors.is_empty() {
            self.wrong(
                "ablate.factors",
                "no factors to compare",
                "at least one factor",
                "write for example `factors: [1, 2, 4]`",
            );
        }
        for (index, factor) in written.ablate.factors.iter().enumerate() {
            self.within(&format!("ablate.factors[{index}]"), factor, &FACTORS, &hint);
        }
        self.no_repeats("ablate.factors", &written.ablate.factors, f64::to_string);
    }

    fn no_repeats<T: PartialEq>(&mut self, at: &str, items: &[T], name: impl Fn(&T) -> String) {
        for (index, item) in items.iter().enumerate() {
            if items.iter().take(index).any(|earlier| earlier == item) {
                let what = format!("`{}` occurs twice in the list", name(item));
                self.wrong(&format!("{at}[{index}]"), what, "every entry once", "remove one of the two");
            }
        }
    }

    fn questions(&mut self, written: &Written) {
        if written.question.trim().is_empty() {
            self.wrong("question", "no question", "a sentence", "say what got worse, and what is suspected");
        }
        if written.probes.is_empty() {
            let hint = "write for example `probes: [short_range, long_range]`";
            self.wrong("probes", "no probes", "at least one probe", hint);
        }
        self.no_repeats("probes", &written.probes, |probe| probe.name().to_owned());
        for (index, probe) in written.probes.iter().enumerate() {
            let at = format!("probes[{index}]");
            if *probe == ProbeName::LongRange && written.target == written.trained {
                let hint = "raise `target`, or remove this probe";
                self.wrong(&at, "nothing lies beyond the trained length", "a target above `trained`", hint);
            }
            if *probe == ProbeName::ShortRange && (1..SHORT_WINDOW).contains(&written.trained) {
                let what =
                    format!("this probe reads windows of {SHORT_WINDOW} tokens, and {} were trained", written.trained);
                self.wrong(&at, what, format!("a trained length of at least {SHORT_WINDOW}"), "remove this probe");
            }
        }
        let decide = written.decide.as_deref().unwrap_or_default();
        self.no_repeats("decide", decide, |question| question.name().to_owned());
        for (index, question) in decide.iter().enumerate() {
            self.answered(&format!("decide[{index}]"), *question, &written.probes);
        }
        for question in written.expect.keys() {
            self.answered(&format!("expect.{}.axis", question.name()), *question, &written.probes);
        }
    }

    fn answered(&mut self, at: &str, question: Question, probes: &[ProbeName]) {
        if !probes.iter().any(|probe| probe.question() == Some(question)) {
            let name = question.name();
            let hint = format!("add `{name}` to `probes`, or remove it here");
            self.wrong(at, format!("no probe answers `{name}`"), "a question whose probe is asked for", hint);
        }
    }

    /// Checks the sizes and returns the latency lengths, ascending.
    fn sizes(&mut self, sizes: &WrittenSizes, trained: usize, target: usize) -> Vec<Tokens> {
        let hint = "remove the key to have the default";
        self.within(
            "sizes.documents",
            &sizes.documents,
            &(2..=1000),
            "intervals need at least 2 documents; 8 is usual",
        );
        self.within("sizes.short_windows", &sizes.short_windows, &(1..=64), hint);
        let most = sizes.documents.max(2);
        let fewer = "remove `attention` from `probes` to look at none";
        self.within("sizes.attention_documents", &sizes.attention_documents, &(1..=most), fewer);
        self.within("sizes.attention_every", &sizes.attention_every, &(1..=4096), hint);
        self.within("sizes.latency_blocks", &sizes.latency_blocks, &(3..=1000), "intervals need at least 3 blocks");
        self.within("sizes.decode_tokens", &sizes.decode_tokens, &(1..=256), hint);
        self.within("sizes.latency_candidates", &sizes.latency_candidates, &(0..=8), hint);
        let usual = [256.min(target), 1024.min(target), trained, target];
        let given = sizes.latency_lengths.as_deref();
        if given.is_some_and(<[usize]>::is_empty) {
            self.wrong("sizes.latency_lengths", "no lengths", "at least one length", hint);
        }
        for (index, length) in given.unwrap_or_default().iter().enumerate() {
            let at = format!("sizes.latency_lengths[{index}]");
            self.within(&at, length, &(1..=target.max(1)), "latency is measured up to the target length");
        }
        self.no_repeats("sizes.latency_lengths", given.unwrap_or_default(), usize::to_string);
        let mut lengths: Vec<Tokens> = given.unwrap_or(&usual).iter().copied().map(Tokens).collect();
        lengths.sort_unstable();
        lengths.dedup();
        lengths
    }

    fn tolerance(&mut self, tolerance: &WrittenTolerance) -> Tolerance {
        let WrittenTolerance { short_range, long_range, retrieval, latency } = *tolerance;
        let nats = "this is a rise in nats per token; 0.02 is usual";
        self.within("tolerance.short_range", &short_range, &(0.0..=100.0), nats);
        self.within("tolerance.long_range", &long_range, &(0.0..=100.0), nats);
        self.within("tolerance.retrieval", &retrieval, &(0.0..=1.0), "this is a share of the facts; 0.05 is usual");
        self.within("tolerance.latency", &latency, &(1.0..=100.0), "this is a ratio: 1.05 accepts 5 % more time");
        Tolerance { short_range, long_range, retrieval, latency }
    }

    /// Checks and returns the folders of the other checkpoints.
    fn checkpoints(&mut self, written: &Written) -> BTreeMap<Scheme, PathBuf> {
        let folder = self.source.path().parent().unwrap_or(Path::new(""));
        let mut found = BTreeMap::new();
        for (name, path) in &written.checkpoints {
            let at = format!("checkpoints.{name}");
            let dir = folder.join(path);
            let Some(method) = AnyMethod::named(name) else {
                let expected = format!("one of {}", AnyMethod::NAMES.join(", "));
                self.wrong(&at, format!("no method is called `{name}`"), expected, "name the mechanism of the weights");
                continue;
            };
            match Config::read(&dir) {
                Err(error) => {
                    let what = error.to_string().lines().next().unwrap_or_default().to_owned();
                    self.wrong(&at, what, "a folder in Hugging Face layout", "paths are relative to this file");
                }
                Ok(config) if config.heads.native.scheme() != method.scheme() => {
                    let what = format!("these weights were trained with `{}`", config.heads.native.name());
                    self.wrong(&at, what, format!("weights that were trained with `{name}`"), "exchange the two?");
                }
                Ok(_) => {
                    found.insert(method.scheme(), dir);
                }
            }
        }
        found
    }

    /// Checks that every method has weights or is adapted, and that an adaptation has its text.
    fn adaptation(
        &mut self,
        written: &Written,
        deployed: &AnyMethod,
        scheme: Scheme,
        checkpoints: &BTreeMap<Scheme, PathBuf>,
    ) -> Option<AdaptationPlan> {
        let tokens = &written.ablate.adapted;
        self.no_repeats("ablate.adapted", tokens, usize::to_string);
        let adapts = tokens.iter().any(|tokens| *tokens > 0);
        let foreign = |method: &AnyMethod| {
            let needed = method.scheme();
            needed != Scheme::Any && needed != scheme && !checkpoints.contains_key(&needed)
        };
        let places = written.ablate.methods.iter().enumerate();
        let mut methods: Vec<_> = places.map(|(i, m)| (format!("ablate.methods[{i}]"), m, adapts)).collect();
        methods.push(("deployed.method".to_owned(), deployed, written.deployed.adapted > 0));
        for (at, method, adapted) in methods {
            if foreign(method) && !adapted {
                let name = method.name();
                let hint = format!(
                    "name its weights under `checkpoints: {{ {name}: .. }}`, or adapt these: `adapted: [200000]`"
                );
                self.wrong(
                    &at,
                    format!("the checkpoint's weights do not know `{name}`"),
                    "weights trained with it",
                    hint,
                );
            }
        }
        let wanted = adapts || written.deployed.adapted > 0;
        let Some(plan) = &written.adaptation else {
            if wanted {
                let hint = "add `adaptation: { text: FILE.txt }`, text that is not measured on";
                self.wrong("ablate.adapted", "an adaptation needs text", "training text", hint);
            }
            return None;
        };
        let text = self.source.path().parent().unwrap_or(Path::new("")).join(&plan.text);
        if !text.is_file() {
            let hint = format!("paths are relative to this file; this one leads to `{}`", text.display());
            self.wrong("adaptation.text", "no such text", "a file of UTF-8 text", hint);
        }
        let length = plan.length.unwrap_or(written.target);
        self.within("adaptation.length", &length, &(16..=LONGEST), "lengths are counted in tokens: 8k is `8192`");
        Some(AdaptationPlan { text, length: Tokens(length) })
    }

    /// Checks and returns the file of observed outputs.
    fn observed(&mut self, written: &Written) -> Option<PathBuf> {
        let path = self.source.path().parent().unwrap_or(Path::new("")).join(written.observed.as_ref()?);
        if !path.is_file() {
            let hint = format!("paths are relative to this file; this one leads to `{}`", path.display());
            self.wrong("observed", "no such file", "a file of log-probabilities, as `gyro capture` records", hint);
        }
        Some(path)
    }

    /// Checks and returns the checkpoint's folder and the text's file.
    fn paths(&mut self, written: &Written) -> (PathBuf, PathBuf) {
        let folder = self.source.path().parent().unwrap_or(Path::new(""));
        let checkpoint = folder.join(&written.checkpoint);
        let relative = |path: &Path| format!("paths are relative to this file; this one leads to `{}`", path.display());
        let layout = "a folder in Hugging Face layout (`config.json`, `model.safetensors`, `tokenizer.json`)";
        if written.checkpoint.trim().is_empty() {
            self.wrong("checkpoint", "no checkpoint", layout, "write the folder's path");
        } else if !checkpoint.is_dir() {
            let what = if checkpoint.exists() { "the checkpoint is not a folder" } else { "no such checkpoint" };
            self.wrong("checkpoint", what, layout, relative(&checkpoint));
        } else if !checkpoint.join("config.json").is_file() {
            self.wrong("checkpoint", "the checkpoint has no `config.json`", layout, relative(&checkpoint));
        } else if written.text.is_none() && !checkpoint.join(HELD_OUT).is_file() {
            let what = format!("no text: the checkpoint has no `{HELD_OUT}`");
            let hint = "add `text: FILE.txt`, the path of text that the model has not seen";
            self.wrong("checkpoint", what, "text to measure on", hint);
        }
        let Some(text) = &written.text else {
            let documents = checkpoint.join(HELD_OUT);
            return (checkpoint, documents);
        };
        let documents = folder.join(text);
        if text.trim().is_empty() || !documents.is_file() {
            let what =
                if documents.is_dir() && !text.trim().is_empty() { "the text is a folder" } else { "no such text" };
            self.wrong("text", what, "a file of UTF-8 text", relative(&documents));
        } else if documents.metadata().is_ok_and(|about| about.len() == 0) {
            self.wrong("text", "the text is empty", "a file of UTF-8 text", relative(&documents));
        }
        (checkpoint, documents)
    }
}
