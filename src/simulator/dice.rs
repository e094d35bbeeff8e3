//! All chance in a simulation: numbers that follow from a seed, or from the bytes of a fuzzer.

use std::cell::RefCell;
use std::rc::Rc;

/// What texts are made of.
const PIECES: [&[u8]; 8] = [b"\n", b"\n", b"ab", b"c", "你".as_bytes(), b"\xe4", b"\r\n", b"long word "];

/// One source of numbers; whoever has a clone of it draws from the same.
#[derive(Clone, Debug)]
pub(super) struct Dice(Rc<RefCell<Source>>);

#[derive(Debug)]
enum Source {
    Seed(u64),
    /// The bytes, and how many were used; behind them nothing is left to chance.
    Bytes(Vec<u8>, usize),
}

impl Dice {
    /// Dice that fall the same for the same seed, on every machine.
    pub fn of_seed(seed: u64) -> Dice {
        // Neighbouring seeds should have nothing in common, and zero would stay zero.
        Dice::over(Source::Seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6a09_e667_f3bc_c909 | 1))
    }

    /// Dice that fall as these bytes say, so that a fuzzer can turn each of them.
    pub fn of_bytes(bytes: &[u8]) -> Dice {
        Dice::over(Source::Bytes(bytes.to_vec(), 0))
    }

    fn over(source: Source) -> Dice {
        Dice(Rc::new(RefCell::new(source)))
    }

    /// Whether a fuzzer's bytes are used up.
    pub fn are_used_up(&self) -> bool {
        matches!(&*self.0.borrow(), Source::Bytes(bytes, used) if *used >= bytes.len())
    }

    /// A number below `bound`.
    pub fn below(&self, bound: usize) -> usize {
        match &mut *self.0.borrow_mut() {
            Source::Seed(state) => {
                // xorshift64, Marsaglia 2003; its lowest bits are the worst.
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                ((*state >> 11) % bound as u64) as usize
            }
            // The highest: what happens once in so many times does not.
            Source::Bytes(bytes, used) if *used >= bytes.len() => bound - 1,
            Source::Bytes(bytes, used) => {
                // Small numbers take one byte, so that most bytes have one meaning.
                let count = if bound <= 256 { 1 } else { 4 };
                let taken = (0..count).map(|at| bytes.get(*used + at).copied().unwrap_or(0));
                let number = taken.fold(0, |number: usize, byte| number << 8 | usize::from(byte));
                *used += count;
                number % bound
            }
        }
    }

    /// True once in so many times.
    pub fn one_in(&self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Text with lines, parts of lines, characters of several bytes and bytes that are none.
    pub fn text(&self, bytes_max: usize) -> Vec<u8> {
        self.made_of(&PIECES, bytes_max)
    }

    /// The same with what means an end, a beginning or a length to those who frame what they say otherwise.
    pub fn talk(&self, bytes_max: usize) -> Vec<u8> {
        const FRAMING: [&[u8]; 8] =
            [b"\x02", b"\x03", b"\r", b"\0", b"\0\x05", b"\0\0", b"\x02ab\xe4\x03\x05", b"\0\x30"];
        if self.one_in(2) {
            return self.text(bytes_max);
        }
        let pieces: [&[u8]; 16] = std::array::from_fn(|at| if at < 8 { PIECES[at] } else { FRAMING[at - 8] });
        self.made_of(&pieces, bytes_max)
    }

    fn made_of(&self, pieces: &[&[u8]], bytes_max: usize) -> Vec<u8> {
        let mut text = Vec::new();
        let size = self.below(bytes_max);
        while text.len() < size {
            text.extend_from_slice(self.pick(pieces));
        }
        text
    }
}
