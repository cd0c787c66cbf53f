//! Documents of an exact length: text with facts strewn in it, each asked for once, at balanced distances.
//!
//! A fact is `<fact> k1 k2 v1 v2 <end>`, its question `<ask> k1 k2 v1 v2 <end>` some distance later. Keys and values
//! are random word-pieces, so the only way to answer is to look back. Within a document no `k2` and no `v1` occurs in
//! two facts: matching the previous token is enough, which small models can learn.

use std::ops::Range;

use crate::stats::random::Random;

/// What a token of a document is, which decides whether it is scored and how it is weighted in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Running text: scored by the loss.
    Text,
    /// A marker of a fact or a question.
    Marker,
    /// A random token that nothing can predict.
    Random,
    /// A value that a question asks for: answerable only by looking back.
    Answer,
}

/// A question in a document, and the fact that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Positions of the value tokens in the question.
    pub answer: Range<usize>,
    /// Position of the fact's first value token.
    pub fact: usize,
}

impl Question {
    /// Tokens between a value in the fact and the same value in the question.
    #[must_use]
    pub fn distance(&self) -> usize {
        self.answer.start - self.fact
    }
}

/// A sequence of tokens of an exact length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// What each token is, same length.
    pub kinds: Vec<Kind>,
    /// The questions, in order of position.
    pub questions: Vec<Question>,
}

/// How facts are written: markers, and the word-pieces for keys and values.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    fact: Vec<u32>,
    ask: Vec<u32>,
    end: Vec<u32>,
    /// Word-pieces for the first key and the last value; they may repeat.
    outer: Vec<u32>,
    /// Word-pieces for the second key and the first value; no two facts of a document share one.
    inner: Vec<u32>,
}

/// Distances at which facts are asked, in tokens: `[16, 64)`, `[64, 256)`, ... up to the length.
pub const RETRIEVAL_BINS: [usize; 7] = [16, 64, 256, 1024, 2048, 4096, 8192];

/// The bins of [`RETRIEVAL_BINS`] up to a length; longer lengths continue by doubling.
#[must_use]
pub fn distance_bins(length: usize) -> Vec<Range<usize>> {
    let mut edges: Vec<usize> = RETRIEVAL_BINS.iter().copied().take_while(|&edge| edge < length).collect();
    while let Some(&last) = edges.last()
        && last < length
    {
        let next = RETRIEVAL_BINS.iter().copied().find(|&edge| edge > last).unwrap_or(last * 2);
        edges.push(next.min(length));
    }
    edges.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// How densely facts and questions are strewn.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Tokens of text and items around every two items (facts or questions).
    pub spacing: usize,
    /// Share of items that are questions, 0 to 1; a question that no fact is due for becomes a fact.
    pub questions: f64,
    /// Share of questions whose fact was never told: a window of a longer text has them, and a model that never saw one
    /// is thrown off by it.
    pub unanswerable: f64,
    /// Share of facts that are asked as far back as the length allows: in the last bin, evenly by distance.
    pub far: f64,
}

/// A fact that was told.
struct Written {
    words: [u32; 4],
    value_at: usize,
}

/// Which fact is asked at which distance: every bin is planned for equally often, as far as the length allows.
struct Plan {
    length: usize,
    far: f64,
    bins: Vec<Range<usize>>,
    planned: Vec<usize>,
    /// Facts not asked yet, each with the distances at which it may be asked.
    pending: Vec<(Written, Range<usize>)>,
}

impl Plan {
    fn new(length: usize, far: f64) -> Self {
        let bins = distance_bins(length);
        Self { length, far, planned: vec![0; bins.len()], bins, pending: Vec::new() }
    }

    /// Plans a fact for the bin with the fewest facts among those that still fit, far bins first, and for a distance in
    /// it that is drawn evenly on a logarithmic scale.
    fn add(&mut self, fact: Written, random: &mut Random) {
        let left = self.length - fact.value_at.min(self.length);
        if self.far > 0.0
            && let Some(bin) = self.bins.last().filter(|bin| bin.start < left)
            && random.uniform() < self.far
        {
            let from = bin.start as f64 + (bin.end.min(left) - bin.start) as f64 * random.uniform();
            self.pending.push((fact, from as usize..bin.end));
            return;
        }
        let fits = (0..self.bins.len()).rev().filter(|&i| self.bins.get(i).is_some_and(|bin| bin.start < left));
        if let Some(chosen) = fits.min_by_key(|&i| self.planned.get(i)) {
            if let Some(count) = self.planned.get_mut(chosen) {
                *count += 1;
            }
            self.pending.extend(self.bins.get(chosen).map(|bin| {
                let end = bin.end.min(left);
                let stretch = end as f64 / bin.start as f64;
                let from = bin.start as f64 * stretch.powf(random.uniform());
                (fact, from as usize..bin.end)
            }));
        }
    }

    /// The fact whose bin is open for an answer at that position and closes first.
    fn due(&self, answer_at: usize) -> Option<usize> {
        let open = |(fact, bin): &(Written, Range<usize>)| bin.contains(&(answer_at - fact.value_at));
        let closes = |i: &usize| self.pending.get(*i).map(|(fact, bin)| fact.value_at + bin.end);
        (0..self.pending.len()).filter(|&i| self.pending.get(i).is_some_and(open)).min_by_key(closes)
    }

    fn take(&mut self, due: usize) -> Option<Written> {
        (due < self.pending.len()).then(|| self.pending.swap_remove(due).0)
    }
}

impl Facts {
    /// Facts with these markers (`[fact, ask, end]`) and this pool of word-pieces.
    #[must_use]
    pub fn new([fact, ask, end]: [Vec<u32>; 3], pool: Vec<u32>) -> Self {
        let outer = pool.iter().copied().step_by(4).collect();
        let inner = pool.into_iter().enumerate().filter(|(i, _)| i % 4 != 0).map(|(_, piece)| piece).collect();
        Self { fact, ask, end, outer, inner }
    }

    /// The word-pieces that keys and values are drawn from.
    pub fn pieces(&self) -> impl Iterator<Item = u32> {
        self.outer.iter().chain(&self.inner).copied()
    }

    /// How many facts a document can hold at most.
    #[must_use]
    pub fn most(&self) -> usize {
        self.inner.len() / 2
    }

    /// A document of exactly `length` tokens from running text, with facts and questions strewn in it as `mix` says; it
    /// uses at most `length` tokens of `text`.
    #[must_use]
    pub fn document(&self, text: &[u32], length: usize, mix: &Mix, random: &mut Random) -> Document {
        let mut plan = Plan::new(length, mix.far);
        let mut document = Document::default();
        let mut free = self.inner.clone();
        random.shuffle(&mut free);
        let mut text = text.iter().copied();
        let mean_run = mix.spacing as f64 / 2.0 - self.item_length() as f64;
        let mut before = usize::MAX;
        // Ends early where text and word-pieces both run out.
        while document.tokens.len() < length && document.tokens.len() != before {
            before = document.tokens.len();
            // Exponential runs have no memory: a model cannot count its way to the next item.
            let run = 1.0 - mean_run.max(2.0) * (1.0 - random.uniform()).ln();
            let left = length - document.tokens.len();
            let run = if left < run as usize + self.item_length() { left } else { run as usize };
            for token in text.by_ref().take(run) {
                document.push(token, Kind::Text);
            }
            if document.tokens.len() >= length || run == left {
                break;
            }
            let ask = random.uniform() < mix.questions;
            let due = if ask { plan.due(document.tokens.len() + self.ask.len() + 2) } else { None };
            if ask && random.uniform() < mix.unanswerable {
                self.write_unanswerable(&mut document, random);
            } else if let Some(fact) = due.and_then(|due| plan.take(due)) {
                self.write_question(&mut document, &fact);
            } else if let (Some(k2), Some(v1)) = (free.pop(), free.pop()) {
                let fact = self.write_fact(&mut document, [self.draw(random), k2, v1, self.draw(random)]);
                plan.add(fact, random);
            }
        }
        document.truncate(length);
        document
    }

    fn item_length(&self) -> usize {
        4 + self.end.len() + self.fact.len().max(self.ask.len())
    }

    fn draw(&self, random: &mut Random) -> u32 {
        self.outer.get(random.below(self.outer.len())).copied().unwrap_or_default()
    }

    fn write_fact(&self, document: &mut Document, words: [u32; 4]) -> Written {
        document.extend(&self.fact, Kind::Marker);
        let value_at = document.tokens.len() + 2;
        document.extend(&words, Kind::Random);
        document.extend(&self.end, Kind::Marker);
        Written { words, value_at }
    }

    fn write_unanswerable(&self, document: &mut Document, random: &mut Random) {
        let inner = |random: &mut Random| self.inner.get(random.below(self.inner.len())).copied().unwrap_or_default();
        let words = [self.draw(random), inner(random), inner(random), self.draw(random)];
        document.extend(&self.ask, Kind::Marker);
        document.extend(&words, Kind::Random);
        document.extend(&self.end, Kind::Marker);
    }

    fn write_question(&self, document: &mut Document, fact: &Written) {
        document.extend(&self.ask, Kind::Marker);
        let [k1, k2, v1, v2] = fact.words;
        document.extend(&[k1, k2], Kind::Random);
        let start = document.tokens.len();
        document.extend(&[v1, v2], Kind::Answer);
        document.questions.push(Question { answer: start..start + 2, fact: fact.value_at });
        document.extend(&self.end, Kind::Marker);
    }
}

impl Document {
    fn push(&mut self, token: u32, kind: Kind) {
        self.tokens.push(token);
        self.kinds.push(kind);
    }

    fn extend(&mut self, tokens: &[u32], kind: Kind) {
        for &token in tokens {
            self.push(token, kind);
        }
    }

    fn truncate(&mut self, length: usize) {
        self.tokens.truncate(length);
        self.kinds.truncate(length);
        self.questions.retain(|question| question.answer.end <= length);
    }
}

/// Running text alone.
#[must_use]
pub fn plain(text: &[u32]) -> Document {
    Document { tokens: text.to_vec(), kinds: vec![Kind::Text; text.len()], questions: Vec::new() }
}

/// Random word-pieces with spans that are repeated later: what an induction circuit is learnt from.
///
/// First occurrences are [`Kind::Random`], the repeats after their first token [`Kind::Answer`].
#[must_use]
pub fn copying(pieces: &[u32], length: usize, random: &mut Random) -> Document {
    let mut document = Document::default();
    while document.tokens.len() < length {
        let span = 4 + random.below(20);
        let so_far = document.tokens.len();
        if so_far > span && random.below(2) == 0 {
            let start = random.below(so_far - span);
            let repeated: Vec<u32> = document.tokens.iter().skip(start).take(span).copied().collect();
            for (i, token) in repeated.into_iter().enumerate() {
                document.push(token, if i == 0 { Kind::Random } else { Kind::Answer });
            }
        } else {
            for _ in 0..span {
                document.push(pieces.get(random.below(pieces.len().max(1))).copied().unwrap_or_default(), Kind::Random);
            }
        }
    }
    document.truncate(length);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: Mix = Mix { spacing: 48, questions: 0.5, unanswerable: 0.0, far: 0.0 };

    fn facts() -> Facts {
        Facts::new([vec![1], vec![2], vec![3]], (600..1000).collect())
    }

    #[test]
    fn a_document_has_its_length_and_every_answer_matches_its_fact() {
        let text: Vec<u32> = (0..9000).map(|i| 4 + i % 500).collect();
        let document = facts().document(&text, 8192, &MIX, &mut Random::new(5));
        assert_eq!(document.tokens.len(), 8192);
        assert_eq!(document.kinds.len(), 8192);
        assert!(document.questions.len() > 70, "{}", document.questions.len());
        for question in &document.questions {
            let fact = &document.tokens[question.fact..question.fact + 2];
            assert_eq!(fact, &document.tokens[question.answer.clone()]);
            let keys = |at: usize| &document.tokens[at - 2..at];
            assert_eq!(keys(question.fact), keys(question.answer.start));
        }
    }

    #[test]
    fn distances_are_balanced_over_the_bins() {
        let text: Vec<u32> = (0..9000).map(|i| 4 + i % 500).collect();
        let document = facts().document(&text, 8192, &MIX, &mut Random::new(6));
        for bin in distance_bins(8192) {
            let n = document.questions.iter().filter(|question| bin.contains(&question.distance())).count();
            assert!(n >= 10, "{n} questions at distances {bin:?}");
        }
    }

    #[test]
    fn far_facts_are_asked_from_far() {
        let text: Vec<u32> = (0..3000).map(|i| 4 + i % 500).collect();
        let share = |far: f64| {
            let distances: Vec<usize> = (0..20)
                .flat_map(|seed| facts().document(&text, 2048, &Mix { far, ..MIX }, &mut Random::new(seed)).questions)
                .map(|question| question.distance())
                .collect();
            distances.iter().filter(|distance| **distance >= 1024).count() as f64 / distances.len() as f64
        };
        assert!(share(0.8) > 1.5 * share(0.0), "{} against {}", share(0.8), share(0.0));
    }

    #[test]
    fn the_bins_end_at_the_length() {
        assert_eq!(distance_bins(2048), vec![16..64, 64..256, 256..1024, 1024..2048]);
        assert_eq!(distance_bins(8192).last(), Some(&(4096..8192)));
        assert_eq!(distance_bins(16384).last(), Some(&(8192..16384)));
        assert_eq!(distance_bins(3000).last(), Some(&(2048..3000)));
    }

    #[test]
    fn the_same_seed_gives_the_same_document() {
        let text: Vec<u32> = (0..3000).collect();
        let make = |seed| facts().document(&text, 2048, &MIX, &mut Random::new(seed));
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
    }
}
