//! The thread's work with a medium that does as a script says, and the opening of real files.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

use super::*;

/// What the medium does with the next writes, and then it takes everything.
#[derive(Debug)]
enum Does {
    Takes(usize),
    Fails(ErrorKind),
    /// Somebody asks for a new file, and this one fails.
    FailsAndReopens,
    /// The same, and there is no new file.
    FailsAndReopensInVain,
    /// The same, and it is this one that still has the name.
    FailsAndReopensTheSame,
}

/// What there is when somebody asks for a new file.
#[derive(Clone, Copy, Debug, Default)]
enum Renews {
    #[default]
    Never,
    Same,
    Another,
}

#[derive(Debug, Default)]
struct Script {
    does: VecDeque<Does>,
    /// What every file has got, one behind the other.
    files: Vec<Vec<u8>>,
    renews: Renews,
    waits: usize,
}

struct Scripted {
    script: Rc<RefCell<Script>>,
    shared: Rc<Shared>,
    at: usize,
    is_torn: bool,
}

impl Medium for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut script = self.script.borrow_mut();
        let count = match script.does.pop_front() {
            None => bytes.len(),
            Some(Does::Takes(count)) => count.min(bytes.len()),
            Some(Does::Fails(kind)) => return Err(kind.into()),
            Some(does) => {
                script.renews = match does {
                    Does::FailsAndReopens => Renews::Another,
                    Does::FailsAndReopensTheSame => Renews::Same,
                    _ => Renews::Never,
                };
                self.shared.lock().reopens = Some(b"opening\n".to_vec());
                return Err(ErrorKind::StorageFull.into());
            }
        };
        script.files[self.at].extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn wait(&self, _time: Duration) {
        self.script.borrow_mut().waits += 1;
    }

    fn renewed(&self) -> io::Result<Option<Scripted>> {
        let mut script = self.script.borrow_mut();
        match script.renews {
            Renews::Never => return Err(ErrorKind::PermissionDenied.into()),
            Renews::Same => return Ok(None),
            Renews::Another => {}
        }
        script.files.push(Vec::new());
        let at = script.files.len() - 1;
        let shared = self.shared.clone();
        Ok(Some(Scripted { script: self.script.clone(), shared, at, is_torn: false }))
    }

    fn mark_torn(&mut self, is_torn: bool) -> bool {
        mem::replace(&mut self.is_torn, is_torn)
    }
}

/// What the files have got in the end, and what was told.
struct Outcome {
    files: Vec<String>,
    told: Vec<String>,
    waits: usize,
}

fn written(is_torn: bool, does: impl IntoIterator<Item = Does>, buffers: &[&str]) -> Outcome {
    let script = Script { does: does.into_iter().collect(), files: vec![Vec::new()], ..Script::default() };
    let (script, shared) = (Rc::new(RefCell::new(script)), Rc::new(Shared::default()));
    let medium = Scripted { script: script.clone(), shared: shared.clone(), at: 0, is_torn };
    let mut appending =
        Appending { medium, opening: Vec::new(), retry: Duration::from_millis(1), is_failing: false };
    let told = RefCell::new(Vec::new());
    let tell = |mail| match mail {
        Mail::LogFile(LogNews::Failed(error)) => told.borrow_mut().push(format!("failed: {}", error.kind())),
        Mail::LogFile(LogNews::GoesOn) => told.borrow_mut().push("goes on".into()),
        Mail::LogFile(LogNews::NotReopened(error)) => {
            told.borrow_mut().push(format!("not reopened: {}", error.kind()));
        }
        mail => panic!("it posts {mail:?}"),
    };

    for buffer in buffers {
        appending.write_whole(buffer.as_bytes(), &shared, &tell).unwrap();
        assert!(shared.lock().failing.is_none(), "it has succeeded");
    }

    let script = script.borrow();
    let files = script.files.iter().map(|file| String::from_utf8(file.clone()).unwrap()).collect();
    Outcome { files, told: told.take(), waits: script.waits }
}

#[test]
fn what_fails_is_tried_again_from_the_very_byte_and_told_once() {
    let full = || Does::Fails(ErrorKind::StorageFull);
    let does = [Does::Takes(3), full(), full(), Does::Takes(1), full(), Does::Takes(0), Does::Takes(4)];

    let Outcome { files, told, .. } = written(false, does, &["one\ntwo\n", "three\n"]);

    assert_eq!(files, ["one\ntwo\nthree\n"]);
    assert_eq!(told, ["failed: no storage space", "goes on"]);
}

#[test]
fn what_fails_again_later_is_told_again() {
    let full = || Does::Fails(ErrorKind::StorageFull);

    let Outcome { files, told, .. } = written(false, [full(), Does::Takes(4), full()], &["one\n", "two\n"]);

    assert_eq!(files, ["one\ntwo\n"]);
    assert_eq!(told, ["failed: no storage space", "goes on", "failed: no storage space", "goes on"]);
}

#[test]
fn a_pipe_that_is_full_is_no_failure_nor_is_a_signal() {
    let does = [ErrorKind::WouldBlock, ErrorKind::Interrupted, ErrorKind::WouldBlock].map(Does::Fails);

    let Outcome { files, told, waits } = written(false, does, &["one\n"]);

    assert_eq!((&files[..], waits), (&["one\n".to_owned()][..], 2));
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn a_torn_line_of_an_earlier_run_is_ended_first_whatever_fails() {
    let does = [Does::Fails(ErrorKind::StorageFull), Does::Takes(1), Does::Takes(2)];

    assert_eq!(written(true, does, &["one\n"]).files, ["\none\n"]);
}

#[test]
fn h63_a_new_file_begins_with_the_whole_of_the_line_that_was_torn_in_the_old_one() {
    let full = Does::Fails(ErrorKind::StorageFull);
    let does = [Does::Takes(6), Does::FailsAndReopens, Does::Takes(3), full];

    let Outcome { files, told, .. } = written(false, does, &["one\ntwo\nthree\n"]);

    assert_eq!(files, ["one\ntw", "opening\ntwo\nthree\n"]);
    assert_eq!(told, ["failed: no storage space", "goes on"]);
}

#[test]
fn h63_where_there_is_no_new_file_the_old_one_goes_on_from_the_very_byte() {
    let does = [Does::Takes(6), Does::FailsAndReopensInVain];

    let Outcome { files, told, .. } = written(false, does, &["one\ntwo\nthree\n"]);

    assert_eq!(files, ["one\ntwo\nthree\n"]);
    assert_eq!(told, ["failed: no storage space", "not reopened: permission denied", "goes on"]);
}

#[test]
fn h63_where_the_file_is_still_the_same_it_goes_on_from_the_very_byte() {
    let does = [Does::Takes(6), Does::FailsAndReopensTheSame];

    let Outcome { files, told, .. } = written(false, does, &["one\ntwo\nthree\n"]);

    assert_eq!(files, ["one\ntwo\nthree\n"]);
    assert_eq!(told, ["failed: no storage space", "goes on"]);
}

#[test]
fn a_file_is_another_one_where_it_was_moved_away_and_not_where_it_has_another_name_beside() {
    let place = std::env::temp_dir().join(format!("switchboard-log-file-moved-{}", std::process::id()));
    let moved = place.with_extension("moved");
    [&place, &moved].into_iter().for_each(|path| drop(fs::remove_file(path)));
    let file = LogFile::open(&place).unwrap();

    assert!(Medium::renewed(&file).unwrap().is_none());
    fs::hard_link(&place, &moved).unwrap();
    assert!(Medium::renewed(&file).unwrap().is_none());
    fs::remove_file(&place).unwrap();
    assert!(Medium::renewed(&file).unwrap().is_some());

    [&place, &moved].into_iter().for_each(|path| fs::remove_file(path).unwrap());
}

#[test]
fn a_file_is_made_for_its_owner_alone_and_one_that_is_there_keeps_what_is_in_it() {
    let place = std::env::temp_dir().join(format!("switchboard-log-file-{}", std::process::id()));
    let _ = fs::remove_file(&place);

    let mut file = LogFile::open(&place).unwrap();
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!file.is_torn, "an empty file is not torn");
    assert_eq!(Medium::write(&mut file, b"torn").unwrap(), 4);
    let mut file = LogFile::open(&place).unwrap();

    assert!(file.is_torn);
    assert_eq!(Medium::write(&mut file, b"\n").unwrap(), 1);
    assert!(!LogFile::open(&place).unwrap().is_torn);
    assert_eq!(fs::read(&place).unwrap(), b"torn\n");
    fs::remove_file(&place).unwrap();
}
