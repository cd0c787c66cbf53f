//! Attention: entropy, mass by distance, mass beyond the trained length, largest logit, by layer.

use super::{Probe, Session};
use crate::measurement::{Place, Quantity, Reading};
use crate::scenario::ProbeName;
use crate::subject::{Look, SubjectError};

/// The attention probe.
pub(super) struct Attention;

/// First edges of the distance bins in tokens; longer ones double.
const EDGES: [usize; 6] = [0, 1, 16, 64, 256, 1024];

fn distance_edges(length: usize) -> Vec<usize> {
    let mut edges: Vec<usize> = EDGES.iter().copied().filter(|&edge| edge < length).collect();
    while let Some(&last) = edges.last()
        && last < length
    {
        edges.push(if last < 1024 { length } else { (last * 2).min(length) });
    }
    edges
}

impl Probe for Attention {
    fn name(&self) -> ProbeName {
        ProbeName::Attention
    }

    fn summary(&self) -> &'static str {
        "entropy, mass by distance, mass beyond the trained length and largest logit of attention, by layer"
    }

    fn read(&self, session: &mut Session<'_>) -> Result<Vec<Reading>, SubjectError> {
        let plan = session.plan();
        if session.index() as usize >= plan.sizes.attention_documents {
            return Ok(Vec::new());
        }
        let tokens = &session.document().tokens;
        let look = Look {
            every: plan.sizes.attention_every,
            distance_edges: distance_edges(tokens.len()),
            trained: plan.trained,
        };
        let protocol = format!("attention/1 length={} every={} mean=heads,queries", tokens.len(), look.every);
        let layers = session.subject().attention(tokens, &look)?;
        let mut readings = Vec::new();
        for (layer, attention) in layers.iter().enumerate() {
            let place = Place { layer: Some(layer as u32), ..Place::default() };
            let mut push = |quantity, at: Place, value| {
                readings.push(Reading {
                    quantity,
                    probe: "attention".to_owned(),
                    protocol: protocol.clone(),
                    document: session.index(),
                    repeat: 0,
                    at,
                    value,
                    count: attention.queries as u32,
                });
            };
            push(Quantity::Entropy, place.clone(), attention.entropy);
            push(Quantity::LargestLogit, place.clone(), attention.largest_logit);
            if let Some(mass) = attention.mass_beyond_trained {
                push(Quantity::MassBeyondTrained, place.clone(), mass);
            }
            for (edges, &mass) in look.distance_edges.windows(2).zip(&attention.mass) {
                let at =
                    Place { distance_from: Some(edges[0] as u32), distance_to: Some(edges[1] as u32), ..place.clone() };
                push(Quantity::AttentionMass, at, mass);
            }
        }
        Ok(readings)
    }
}
