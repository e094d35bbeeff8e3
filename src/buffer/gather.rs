//! The slices of one vectored write.

use std::io::IoSlice;

/// How many slices one vectored write takes at most. A connection mostly needs one or two; what does
/// not fit goes with the next write.
pub const SLICES_MAX: usize = 32;

/// A list of slices with a bound on their bytes, kept on the stack.
#[derive(Debug)]
pub struct Gather<'a> {
    slices: [IoSlice<'a>; SLICES_MAX],
    count: usize,
    room_bytes: usize,
}

impl<'a> Gather<'a> {
    /// An empty list that takes up to `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Gather<'a> {
        Gather { slices: [IoSlice::new(&[]); SLICES_MAX], count: 0, room_bytes: bytes_max }
    }

    /// Appends what there is room for. Once something did not fit, nothing more may be pushed, or
    /// bytes would change places: it returns whether all of it did.
    #[must_use]
    pub fn push(&mut self, bytes: &'a [u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        if self.count == SLICES_MAX {
            return false;
        }
        let take = bytes.len().min(self.room_bytes);
        self.slices[self.count] = IoSlice::new(&bytes[..take]);
        self.count += usize::from(take > 0);
        self.room_bytes -= take;
        take == bytes.len()
    }

    /// What was gathered.
    pub fn slices(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A write of nothing says 0, which looks like a stream that takes nothing any more.
    #[test]
    fn what_there_is_no_room_for_leaves_no_empty_slice_behind() {
        for room in [0, 3] {
            let mut gather = Gather::new(room);

            let took_all = [&b"abc"[..room], b"d"].map(|bytes| gather.push(bytes));

            let lengths: Vec<usize> = gather.slices().iter().map(|slice| slice.len()).collect();
            assert_eq!(took_all, [true, false], "room for {room}");
            assert!(!lengths.contains(&0), "room for {room}: {lengths:?}");
            assert_eq!(lengths.iter().sum::<usize>(), room);
        }
    }
}
