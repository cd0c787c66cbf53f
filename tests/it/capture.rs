//! Capture against a small server of our own that speaks each dialect, misbehaves, and counts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gyro::capture::{CaptureError, Dialect, Endpoint, Manner, Sent, Server, plan};
use gyro::observed::{Observation, Phase};
use gyro::units::{Seconds, Tokens};
use serde_json::{Value, json};

/// What our engine says of a token after others: any function that tells orders apart.
fn logprob(before: &[u64], token: u64) -> f64 {
    -0.25 - (before.iter().fold(token * 7, |sum, other| (sum * 3 + other) % 97)) as f64 / 16.0
}

fn answer(tokens: &[u64]) -> Vec<Value> {
    (0..tokens.len()).map(|i| if i == 0 { Value::Null } else { json!(logprob(&tokens[..i], tokens[i])) }).collect()
}

fn prompts(body: &Value) -> Vec<Vec<u64>> {
    let list = body["prompt"].as_array().unwrap();
    if list[0].is_array() {
        serde_json::from_value(body["prompt"].clone()).unwrap()
    } else {
        vec![serde_json::from_value(body["prompt"].clone()).unwrap()]
    }
}

/// Status and answer of a server of that dialect; the longest prompt that it takes is 64 tokens.
fn serve(dialect: Option<Dialect>, path: &str, body: &Value) -> (u16, Value) {
    match (dialect, path) {
        (_, "/v1/models") => (200, json!({ "data": [{ "id": "ours" }] })),
        (Some(Dialect::Vllm), "/v1/completions") => {
            if prompts(body).iter().any(|prompt| prompt.len() > 64) {
                return (400, json!({ "error": "maximum context length is 64" }));
            }
            let choices: Vec<Value> = prompts(body)
                .iter()
                .enumerate()
                .map(|(index, tokens)| {
                    let listed: Vec<Value> = answer(tokens)
                        .into_iter()
                        .zip(tokens)
                        .map(|(value, token)| if value.is_null() { value } else { json!({ token.to_string(): { "logprob": value, "rank": 3 }, "5000": { "logprob": -0.1, "rank": 1 } }) })
                        .collect();
                    json!({ "index": index, "text": "", "prompt_logprobs": listed })
                })
                .rev()
                .collect();
            (200, json!({ "choices": choices }))
        }
        (Some(Dialect::Echo), "/v1/completions") if body["echo"] == json!(true) => {
            let mut values = answer(&prompts(body)[0]);
            values.push(json!(-0.5));
            (200, json!({ "choices": [{ "index": 0, "logprobs": { "token_logprobs": values } }] }))
        }
        (Some(Dialect::LlamaCpp), "/completion") => {
            let tokens = &prompts(body)[0];
            // It chooses what a bias makes it choose; the odd ones are no whole characters and come without a number.
            let chosen = body.pointer("/logit_bias/0/0").and_then(Value::as_u64).unwrap_or(2);
            let listed: Vec<Value> = (0..100).map(|id| json!({ "id": id, "logprob": logprob(tokens, id) })).collect();
            let own = json!([{ "id": chosen, "logprob": logprob(tokens, chosen), "top_logprobs": listed }]);
            (200, json!({ "completion_probabilities": if chosen.is_multiple_of(2) { own } else { json!([]) } }))
        }
        (_, "/v1/completions") => (200, json!({ "choices": [{ "index": 0, "text": "hello" }] })),
        _ => (404, json!({ "error": "no such path" })),
    }
}

/// Path and body of a request.
fn request(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    reader.read_line(&mut head).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, serde_json::from_slice(&body).unwrap_or_default())
}

/// Reads a request, and writes what is answered to its path and body.
fn answer_to(mut stream: TcpStream, answer: impl Fn(&str, &Value) -> (u16, Value)) {
    let (path, body) = request(&stream);
    let (status, answer) = answer(&path, &body);
    let text = answer.to_string();
    // Some servers answer in chunks: two of them here.
    let half = (text.len() / 2..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap();
    let (one, two) = text.split_at(half);
    let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let _ = stream.write_all(format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}").as_bytes());
}

fn handle(mut stream: TcpStream, dialect: Option<Dialect>, failures: &AtomicUsize) {
    if failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        let _ = stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nbusy");
        return;
    }
    answer_to(stream, |path, body| serve(dialect, path, body));
}

/// A server that does this with each connection, told which one it is; its address.
fn listening(serve: impl Fn(usize, TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            serve(number, stream);
        }
    });
    format!("http://127.0.0.1:{port}/v1")
}

/// A server that fails so many times first.
fn start(dialect: Option<Dialect>, failures: usize) -> Endpoint {
    let failures = AtomicUsize::new(failures);
    Endpoint::parse(&listening(move |_, stream| handle(stream, dialect, &failures))).unwrap()
}

/// A server of vLLM's dialect and of one model, whose words for some requests, by their number, are given: none at all is a
/// dropped connection.
fn scripted(words: impl Fn(usize) -> Option<&'static str> + Send + 'static) -> String {
    listening(move |number, mut stream| match words(number) {
        Some(words) => {
            request(&stream);
            let _ = stream.write_all(words.as_bytes());
        }
        None => answer_to(stream, |path, body| match body["model"].as_str() {
            Some(model) if model != "ours" => (404, json!({ "error": "no such model" })),
            _ => serve(Some(Dialect::Vllm), path, body),
        }),
    })
}

const BUSY: &str = "HTTP/1.1 429 X\r\nContent-Length: 4\r\n\r\nbusy";
const LOADING: &str = "HTTP/1.1 503 X\r\nContent-Length: 13\r\n\r\nLoading model";
const BROKEN: &str = "HTTP/1.1 500 X\r\nContent-Length: 13\r\n\r\nout of memory";

fn manner(retries: usize) -> Manner {
    Manner { model: None, timeout: Seconds(5.0), retries, rate: None, dtype: Some("float32".to_owned()) }
}

fn named(retries: usize) -> Manner {
    Manner { model: Some("ours".to_owned()), ..manner(retries) }
}

fn record(dialect: Dialect, sent: &[Sent]) -> (Vec<Observation>, Vec<String>) {
    let (endpoint, manner) = (start(Some(dialect), 0), manner(0));
    let mut server = Server::meet(&endpoint, &manner, &[1, 2, 3]).unwrap();
    assert_eq!(server.dialect(), dialect);
    let mut notes = Vec::new();
    let mut recorded = Vec::new();
    server.record(sent, &mut recorded, |note| notes.push(note.to_owned())).unwrap();
    (recorded, notes)
}

#[test]
fn each_dialect_is_found_and_its_values_stand_beside_their_tokens() {
    let sent =
        [Sent { prompts: vec![vec![3, 1, 4, 1, 5]] }, Sent { prompts: vec![vec![9, 2, 6], vec![5, 3, 5, 8, 9]] }];
    for dialect in Dialect::ALL {
        let sent = if dialect == Dialect::Vllm { &sent[..] } else { &sent[..1] };
        let (recorded, notes) = record(dialect, sent);
        assert_eq!(recorded.len(), sent.iter().map(|sent| sent.prompts.len()).sum::<usize>(), "{notes:?}");
        for observation in recorded {
            let wide: Vec<u64> = observation.tokens.iter().map(|token| u64::from(*token)).collect();
            assert_eq!(observation.logprobs[0], None);
            for i in 1..wide.len() {
                let expected = logprob(&wide[..i], wide[i]) as f32;
                assert_eq!(observation.logprobs[i], Some(expected), "{dialect:?} at {i}");
            }
            // Short prompts are read anew for each token where the server tells of generated ones only.
            assert_eq!((observation.phase, observation.dtype.as_deref()), (Some(Phase::Prefill), Some("float32")));
        }
    }
}

/// What llama.cpp's own server (build 11549) answered to this client, byte for byte the same requests: among the tokens are
/// one that ends a text (11) and ones that are no whole characters (97, 127).
#[test]
fn a_recorded_llama_cpp_server_is_understood() {
    let recorded = include_str!("../fixtures/served/exchanges.jsonl");
    let exchanges: Vec<Value> = recorded.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let endpoint = replaying(exchanges);
    let sent = Sent { prompts: vec![SHORT.to_vec()] };
    let long = Sent { prompts: vec![LONG.to_vec()] };
    let manner = manner(0);
    let mut server = Server::meet(&endpoint, &manner, &SHORT[..3]).unwrap();
    assert_eq!(server.dialect(), Dialect::LlamaCpp);
    let mut found = Vec::new();
    server.record(&[sent, long], &mut found, |note| panic!("{note}")).unwrap();
    assert_eq!((found[0].phase, found[1].phase), (Some(Phase::Prefill), Some(Phase::Decode)));
    assert!(found.iter().all(|row| row.logprobs[0].is_none() && row.logprobs[1..].iter().all(Option::is_some)));
    // Both begin with the same tokens; read anew or decoded, they are as likely.
    for (read, decoded) in found[0].logprobs.iter().zip(&found[1].logprobs).skip(1) {
        assert!((read.unwrap() - decoded.unwrap()).abs() < 1e-4, "{read:?} {decoded:?}");
    }
}

const SHORT: [u32; 8] = [5, 6, 127, 900, 11, 97, 2, 300];
const LONG: [u32; 20] = [5, 6, 127, 900, 11, 97, 2, 300, 77, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411];

/// A server that gives the recorded answer to each recorded request, and 500 to any other.
fn replaying(exchanges: Vec<Value>) -> Endpoint {
    let address = listening(move |_, stream| {
        answer_to(stream, |path, body| {
            let same = |exchange: &&Value| exchange["path"] == json!(path) && exchange["body"] == *body;
            let found = exchanges.iter().find(same);
            let unknown = || (500, json!({ "error": format!("not recorded: {path} {body}") }));
            found.map_or_else(unknown, |found| (found["status"].as_u64().unwrap() as u16, found["answer"].clone()))
        });
    });
    Endpoint::parse(&address).unwrap()
}

#[test]
fn what_is_too_long_for_the_server_is_left_out_and_told() {
    let sent = plan(50, Tokens(64), Tokens(96), 1);
    let (recorded, notes) = record(Dialect::Vllm, &sent);
    assert!(notes.iter().any(|note| note.contains("96 tokens is left out")), "{notes:?}");
    assert!(recorded.len() > 50 && recorded.iter().all(|observation| observation.tokens.len() <= 64));
    let batches: Vec<u64> = recorded.iter().filter_map(|observation| observation.batch).collect();
    assert!(batches.is_sorted());
}

#[test]
fn a_busy_server_is_asked_again_and_a_silent_one_is_given_up() {
    let endpoint = start(Some(Dialect::Vllm), 1);
    let (patient, hasty) = (named(2), named(0));
    assert!(Server::meet(&endpoint, &patient, &[1, 2]).is_ok());
    let endpoint = start(Some(Dialect::Vllm), 9);
    let error = Server::meet(&endpoint, &hasty, &[1, 2]).err().unwrap();
    assert!(matches!(error, CaptureError::Busy { status: 429, .. }), "{error}");
}

#[test]
fn the_list_of_models_is_asked_again_after_what_may_pass() {
    for words in ["", BUSY, LOADING, BROKEN] {
        let endpoint = Endpoint::parse(&scripted(move |number| (number == 0).then_some(words))).unwrap();
        let manner = manner(1);
        // The server takes requests for its own model only.
        assert!(Server::meet(&endpoint, &manner, &[1, 2, 3]).is_ok(), "{words}");
    }
    // What does not pass is told as it is, not as a server without log-probabilities.
    for (words, told) in [("", "no answer from"), (BUSY, "429"), (LOADING, "Loading model"), (BROKEN, "500")] {
        let endpoint = Endpoint::parse(&scripted(move |_| Some(words))).unwrap();
        let error = Server::meet(&endpoint, &manner(0), &[1, 2, 3]).err().unwrap();
        assert!(error.to_string().contains(told) && !error.to_string().contains("prompt_logprobs"), "{error}");
    }
}

#[test]
fn a_server_that_lists_no_models_is_asked_for_its_default() {
    let address = listening(|_, stream| {
        answer_to(stream, |path, body| match path {
            "/v1/models" => (404, json!({ "error": "no such path" })),
            _ if body["model"] == json!("default") => serve(Some(Dialect::Vllm), path, body),
            _ => (400, json!({ "error": "no such model" })),
        });
    });
    let (endpoint, manner) = (Endpoint::parse(&address).unwrap(), manner(0));
    assert_eq!(Server::meet(&endpoint, &manner, &[1, 2, 3]).unwrap().dialect(), Dialect::Vllm);
}

#[test]
fn a_server_that_stays_busy_ends_the_capture_and_what_came_before_is_kept() {
    let sent: Vec<Sent> = (1..=4).map(|token| Sent { prompts: vec![vec![token, 2, 3]] }).collect();
    for (words, told) in [("", "no answer from"), (BUSY, "429"), (LOADING, "503"), (BROKEN, "500")] {
        // The list of models, the first question, and two prompts are answered.
        let endpoint = Endpoint::parse(&scripted(move |number| (number >= 4).then_some(words))).unwrap();
        let manner = manner(1);
        let mut server = Server::meet(&endpoint, &manner, &[1, 2, 3]).unwrap();
        let mut recorded = Vec::new();
        let error = server.record(&sent, &mut recorded, |note| panic!("{note}")).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(recorded.iter().map(|row| row.tokens[0]).collect::<Vec<_>>(), [1, 2]);
    }
}

#[test]
fn a_server_is_left_alone_as_long_as_it_asks() {
    let words = "HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy";
    let endpoint = Endpoint::parse(&scripted(move |number| (number == 0).then_some(words))).unwrap();
    let begin = Instant::now();
    assert!(Server::meet(&endpoint, &manner(1), &[1, 2, 3]).is_ok());
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn an_answer_that_never_ends_is_given_up_though_it_goes_on_coming() {
    let address = listening(|_, mut stream| {
        request(&stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n");
        // Twenty seconds in all, unless the other side has hung up.
        for _ in 0..400 {
            thread::sleep(Duration::from_millis(50));
            if stream.write_all(b" ").is_err() {
                break;
            }
        }
    });
    let endpoint = Endpoint::parse(&address).unwrap();
    let hasty = Manner { timeout: Seconds(0.5), ..manner(0) };
    let begin = Instant::now();
    let error = Server::meet(&endpoint, &hasty, &[1, 2, 3]).err().unwrap();
    assert!(error.to_string().contains("none in 500ms"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn settings_that_are_no_usable_numbers_are_refused_before_anybody_is_asked() {
    let nobody = Endpoint::parse("http://127.0.0.1:9").unwrap();
    let told = |manner: Manner| Server::meet(&nobody, &manner, &[1, 2, 3]).err().unwrap().to_string();
    for timeout in [f64::NAN, 0.0, -1.0, 1e-20, f64::NEG_INFINITY] {
        let text = told(Manner { timeout: Seconds(timeout), ..manner(0) });
        assert!(text.contains("cannot use --timeout") && text.contains("hint:"), "{timeout}: {text}");
    }
    for rate in [f64::NAN, 0.0, -1.0, 1e-20] {
        let text = told(Manner { rate: Some(rate), ..manner(0) });
        assert!(text.contains("cannot use --rate") && text.contains("hint:"), "{rate}: {text}");
    }
    // These two can be used, so it is the server that is missing.
    for (timeout, rate) in [(f64::INFINITY, 1e300), (1e300, f64::INFINITY)] {
        let text = told(Manner { timeout: Seconds(timeout), rate: Some(rate), ..manner(0) });
        assert!(text.contains("no answer from"), "{timeout} {rate}: {text}");
    }
}

#[test]
fn the_program_keeps_what_came_before_a_server_was_gone_and_ends_with_2() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("capture-{}.jsonl", std::process::id()));
    let capture = |address: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gyro"));
        command.args(["capture", "--endpoint", address, "--retries", "0", "--longest", "8"]).args(more);
        command.arg("--checkpoint").arg(root.join("tests/fixtures/llama/default_tied_f32"));
        let output = command.arg("--out").arg(&out).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, errors) = capture(&scripted(|number| (number >= 5).then_some(LOADING)), &[]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("3 of 42 prompts are recorded") && errors.contains("Loading model"), "{errors}");
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 3);
    std::fs::remove_file(&out).unwrap();

    for (option, value) in [("--timeout", "nan"), ("--rate", "1e-20")] {
        let (code, errors) = capture("http://127.0.0.1:9", &[option, value]);
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains(&format!("cannot use {option}")), "{errors}");
    }
    assert!(!out.exists());
}

#[test]
fn a_server_without_log_probabilities_is_told_what_would_help() {
    let endpoint = start(None, 0);
    let error = Server::meet(&endpoint, &manner(0), &[1, 2, 3]).err().unwrap();
    assert!(matches!(error, CaptureError::NoLogprobs { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("hint: vLLM") && text.contains("--snippet"), "{text}");
    let nobody = Endpoint::parse("http://127.0.0.1:9").unwrap();
    let error = Server::meet(&nobody, &manner(0), &[1, 2]).err().unwrap();
    assert!(matches!(error, CaptureError::Connection { .. }), "{error}");
}
