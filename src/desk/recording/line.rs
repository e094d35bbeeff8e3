//! One line of a transcript, as far as it is about what was said.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::buffer::framing::Framing;

/// What a line says. Moments are microseconds since 1970.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A run begins, in which messages are framed in this way; or, where it is under way, one more file of it.
    Listening { run: Option<String>, framing: Framing },
    /// Somebody connected, or has been here for a while where a file begins.
    Opened { id: u64, client: Option<u64>, is_dialled: bool, is_past: bool, at: i64 },
    /// A peer said something.
    Heard { id: u64, said: Said, at: i64 },
    /// These were sent something.
    Said { ids: Vec<u64>, bytes: Arc<[u8]>, at: i64 },
    /// Everybody was.
    SaidToAll { bytes: Arc<[u8]>, at: i64 },
    /// A peer has finished sending.
    Ended { id: u64, at: i64 },
    /// Our side was finished.
    Finished { id: u64, at: i64 },
    /// A connection has ended.
    Closed { id: u64, reason: String, sent: u64, at: i64 },
    /// So many events were left out here.
    Skipped(u64),
    /// The run has ended.
    Bye,
    /// Something else.
    Other,
}

/// What a peer said.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// What framed it in front, if nothing of the same message was told before.
    pub before: Vec<u8>,
    /// The rest of it, with what framed it behind.
    pub bytes: Vec<u8>,
    /// Whether the same message goes on, where it has begun.
    pub goes_on: bool,
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &[u8], framing: &Framing) -> Result<Line, String> {
        let object: Map<String, Value> =
            serde_json::from_slice(text.trim_ascii_end()).map_err(|error| no_object(&error))?;
        let kind = object.get("ev").and_then(Value::as_str).ok_or("the key \"ev\" is missing")?;
        Ok(match kind {
            "listening" if object.get("v").is_some_and(|version| *version != 1) => {
                return Err("it is of another version of this protocol than 1".to_owned());
            }
            "listening" => Line::Listening {
                run: object.get("run").and_then(Value::as_str).map(str::to_owned),
                framing: match object.get("frame") {
                    None => Framing::Lines,
                    Some(frame) => {
                        let frame = frame.as_str().ok_or("\"frame\" is no text")?;
                        Framing::parse(frame).map_err(|why| format!("\"frame\" is none: {why}"))?
                    }
                },
            },
            "open" => Line::Opened {
                id: number(&object, "id")?,
                client: object.get("for").and_then(Value::as_u64),
                is_dialled: object.get("dialed") == Some(&Value::Bool(true)),
                is_past: object.get("past") == Some(&Value::Bool(true)),
                at: moment(&object)?,
            },
            "msg" => Line::Heard {
                id: number(&object, "id")?,
                said: heard(&object, framing)?,
                at: moment(&object)?,
            },
            "sent" => {
                let (bytes, at) = (payload(&object)?.into(), moment(&object)?);
                match object.get("ids").and_then(Value::as_array) {
                    Some(ids) => {
                        Line::Said { ids: ids.iter().filter_map(Value::as_u64).collect(), bytes, at }
                    }
                    None => Line::SaidToAll { bytes, at },
                }
            }
            "eof" => Line::Ended { id: number(&object, "id")?, at: moment(&object)? },
            "fin" => Line::Finished { id: number(&object, "id")?, at: moment(&object)? },
            "close" => {
                let reason = object.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
                // What was queued and is lost was told as sent, too.
                let count = |key| object.get(key).and_then(Value::as_u64).unwrap_or_default();
                let sent = count("tx").saturating_add(count("unsent"));
                Line::Closed { id: number(&object, "id")?, reason, sent, at: moment(&object)? }
            }
            "skipped" => Line::Skipped(number(&object, "count")?),
            "bye" => Line::Bye,
            _ => Line::Other,
        })
    }
}

/// Why a line is none. Of the place in it the column alone is told: it is one line.
fn no_object(error: &serde_json::Error) -> String {
    let (told, column) = (error.to_string(), error.column());
    let place = format!(" at line {} column {column}", error.line());
    format!("this is no JSON object: {} at column {column}", told.strip_suffix(&place).unwrap_or(&told))
}

/// What a peer said, with what framed it.
fn heard(object: &Map<String, Value>, framing: &Framing) -> Result<Said, String> {
    let mut bytes = payload(object)?;
    if let Some(end) = object.get("end").and_then(Value::as_str) {
        bytes.extend_from_slice(end.as_bytes());
        return Ok(Said { before: Vec::new(), bytes, goes_on: false });
    }
    if let Some(part) = object.get("part") {
        let before = match object.get("head") {
            Some(head) => base64_of(head, "head")?,
            None => Vec::new(),
        };
        return Ok(Said { before, bytes, goes_on: part != "eof" });
    }
    let around = framing.envelope().around(bytes.len());
    let (before, behind) = around.map_err(|_| "it is longer than its frame can be".to_owned())?;
    bytes.extend_from_slice(behind);
    Ok(Said { before: before.to_vec(), bytes, goes_on: false })
}

fn payload(object: &Map<String, Value>) -> Result<Vec<u8>, String> {
    match (object.get("text"), object.get("b64")) {
        (Some(Value::String(text)), _) => Ok(text.clone().into_bytes()),
        (None, Some(spelt)) => base64_of(spelt, "b64"),
        _ => Err("it has neither \"text\" nor \"b64\"".to_owned()),
    }
}

fn base64_of(spelt: &Value, key: &str) -> Result<Vec<u8>, String> {
    let spelt = spelt.as_str().ok_or_else(|| format!("{key:?} is no text"))?;
    STANDARD.decode(spelt).map_err(|error| format!("{key:?} is no base64: {error}"))
}

fn number(object: &Map<String, Value>, key: &str) -> Result<u64, String> {
    object.get(key).and_then(Value::as_u64).ok_or_else(|| format!("the key {key:?} is no number"))
}

fn moment(object: &Map<String, Value>) -> Result<i64, String> {
    let stamp = object.get("ts").and_then(Value::as_str).ok_or("the key \"ts\" is missing")?;
    let stamp: Timestamp = stamp.parse().map_err(|error| format!("\"ts\" is no time: {error}"))?;
    Ok(stamp.as_microsecond())
}
