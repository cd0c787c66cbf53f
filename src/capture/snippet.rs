//! Scripts that make a file of observed outputs without a server.

use super::Sent;

/// What a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// Hugging Face transformers.
    Transformers,
    /// vLLM's offline engine.
    Vllm,
}

const HEAD: &str = "\"\"\"Writes observed.jsonl for `gyro identify`: the log-probability of every token of these prompts.\"\"\"\n\
import json\n\n";

const TRANSFORMERS: &str = "import torch\nfrom transformers import AutoModelForCausalLM\n\n\
model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=\"auto\").eval()\n\
dtype = str(model.dtype).removeprefix(\"torch.\")\n\n\
with open(\"observed.jsonl\", \"w\") as file, torch.no_grad():\n\
\x20   for number, prompts in enumerate(PROMPTS):\n\
\x20       for tokens in prompts:\n\
\x20           ids = torch.tensor([tokens], device=model.device)\n\
\x20           logprobs = model(ids).logits[0, :-1].float().log_softmax(-1)\n\
\x20           own = logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist()\n\
\x20           row = {\"tokens\": tokens, \"logprobs\": [None, *own], \"phase\": \"prefill\", \"dtype\": dtype}\n\
\x20           print(json.dumps(row), file=file)\n";

const VLLM: &str = "from vllm import LLM, SamplingParams\n\n\
llm = LLM(CHECKPOINT, skip_tokenizer_init=True)\n\
dtype = str(llm.llm_engine.model_config.dtype).removeprefix(\"torch.\")\n\
ask = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)\n\n\
with open(\"observed.jsonl\", \"w\") as file:\n\
\x20   for number, prompts in enumerate(PROMPTS):\n\
\x20       outputs = llm.generate([{\"prompt_token_ids\": tokens} for tokens in prompts], ask, use_tqdm=False)\n\
\x20       for tokens, output in zip(prompts, outputs):\n\
\x20           own = [place[token].logprob for token, place in zip(tokens[1:], output.prompt_logprobs[1:])]\n\
\x20           row = {\"tokens\": tokens, \"logprobs\": [None, *own], \"phase\": \"prefill\", \"batch\": number, \"dtype\": dtype}\n\
\x20           print(json.dumps(row), file=file)\n";

/// A Python script that answers these prompts with an engine and writes `observed.jsonl`.
#[must_use]
pub fn snippet(engine: Engine, checkpoint: &str, sent: &[Sent]) -> String {
    let prompts: Vec<&Vec<Vec<u32>>> = sent.iter().map(|sent| &sent.prompts).collect();
    let lines: Vec<String> = prompts.iter().map(|prompts| format!("    {},\n", serde_json::json!(prompts))).collect();
    let body = match engine {
        Engine::Transformers => TRANSFORMERS,
        Engine::Vllm => VLLM,
    };
    format!(
        "{HEAD}CHECKPOINT = {}\n# One list a request: the prompts in it are served together.\nPROMPTS = [\n{}]\n\n{body}",
        serde_json::json!(checkpoint),
        lines.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_holds_its_prompts_and_the_checkpoint() {
        let sent = [Sent { prompts: vec![vec![1, 2], vec![3]] }];
        for engine in [Engine::Transformers, Engine::Vllm] {
            let script = snippet(engine, "models/a \"b\"", &sent);
            assert!(script.contains("CHECKPOINT = \"models/a \\\"b\\\"\""), "{script}");
            assert!(script.contains("    [[1,2],[3]],\n"), "{script}");
            assert!(script.contains("\n            row = {"), "{script}");
        }
    }
}
