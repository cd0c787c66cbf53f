//! A step's tokens, from the recipe's seed and the step's number alone.

use tch::{Device, Kind, Tensor};

use super::TrainingError;
use crate::recipe::{Course, FactSettings, Stage, Weights};
use crate::stats::random::Random;
use crate::text::{Document, Facts, Kind as TokenKind, Mix, TextError, Tokenizer, copying, plain};

/// The training text and how facts are strewn in it.
pub(super) struct Batches {
    text: Vec<u32>,
    facts: Facts,
    vocabulary: Vec<u32>,
    weights: Weights,
    settings: FactSettings,
    seed: u64,
}

/// One step's sequences.
pub(super) struct Batch {
    /// `[batch, time]`, int64.
    pub(super) tokens_bt: Tensor,
    /// Weight of each predicted token, `[batch * (time - 1)]`.
    pub(super) weights: Tensor,
    kinds: Vec<TokenKind>,
    device: Device,
}

impl Batches {
    pub(super) fn new(recipe: &Course, tokenizer: &Tokenizer) -> Result<Self, TrainingError> {
        let text = tokenizer.encode_file(&recipe.text)?;
        let longest = recipe.stages.iter().map(|stage| stage.length).max().unwrap_or(0);
        if text.len() <= longest {
            let needed = longest + 1;
            return Err(TextError::TooShort { found: text.len(), documents: 1, length: longest, needed }.into());
        }
        Ok(Self {
            text,
            facts: tokenizer.facts()?,
            vocabulary: (0..tokenizer.vocabulary() as u32).collect(),
            weights: recipe.weights.clone(),
            settings: recipe.facts.clone(),
            seed: recipe.seed,
        })
    }

    /// The batch of a step.
    pub(super) fn at(&self, step: usize, stage: &Stage, device: Device) -> Result<Batch, TrainingError> {
        let mut random = Random::new(self.seed ^ (step as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut tokens = Vec::with_capacity(stage.batch * stage.length);
        let mut kinds = Vec::with_capacity(stage.batch * stage.length);
        for _ in 0..stage.batch {
            let document = self.sequence(stage, &mut random);
            tokens.extend(document.tokens.iter().map(|&token| i64::from(token)));
            kinds.extend_from_slice(document.kinds.get(1..).unwrap_or_default());
        }
        let weights: Vec<f32> = kinds
            .iter()
            .map(|kind| match kind {
                TokenKind::Text | TokenKind::Marker => 1.0,
                TokenKind::Random => self.weights.random as f32,
                TokenKind::Answer => self.weights.answer as f32,
            })
            .collect();
        let tokens_bt =
            Tensor::f_from_slice(&tokens)?.f_view([stage.batch as i64, stage.length as i64])?.f_to_device(device)?;
        Ok(Batch { tokens_bt, weights: Tensor::f_from_slice(&weights)?.f_to_device(device)?, kinds, device })
    }

    fn sequence(&self, stage: &Stage, random: &mut Random) -> Document {
        if random.uniform() < stage.copying {
            return copying(&self.vocabulary, stage.length, random);
        }
        let start = random.below(self.text.len() - stage.length);
        let text = self.text.get(start..start + stage.length).unwrap_or_default();
        if random.uniform() < self.settings.plain {
            return plain(text);
        }
        let FactSettings { spacing, unanswerable, .. } = self.settings;
        let mix = Mix { spacing, questions: 0.5, unanswerable, far: stage.far };
        self.facts.document(text, stage.length, &mix, random)
    }
}

impl Batch {
    /// 1 where a predicted token is of this kind, else 0, `[batch * (time - 1)]`.
    pub(super) fn mask(&self, kind: TokenKind) -> Result<Tensor, TrainingError> {
        let mask: Vec<f32> = self.kinds.iter().map(|&other| f32::from(u8::from(other == kind))).collect();
        Ok(Tensor::f_from_slice(&mask)?.f_to_kind(Kind::Float)?.f_to_device(self.device)?)
    }
}
