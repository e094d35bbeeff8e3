//! Who is linked waits for nobody here, whichever desk has done that.

use super::*;
use crate::desk::event::DeskId;

fn both() -> (Who<'static>, Who<'static>) {
    (Who::nameless(1), Who::nameless(2))
}

#[test]
fn the_counts_leave_out_who_is_linked_until_it_is_linked_no_more() {
    for by_another in [false, true] {
        let mut rig = Rig::new(60, 10);
        // The first is still being dialled.
        rig.opens(2);
        rig.opens(3);
        rig.says(2, "before");
        let (one, other) = both();
        if by_another {
            rig.desk.event(&Event::Linked(one, other, DeskId(2)), View::Text, rig.now);
        } else {
            rig.desk.reply(&Reply::Linked(one, other));
        }
        rig.opens(1);
        rig.says(1, "to 2");
        rig.says(2, "to 1");
        rig.says(3, "to you");
        rig.draw();
        assert!(rig.last_row().ends_with("1 pending · 3 here"), "{:?}", rig.last_row());

        let (one, other) = both();
        if by_another {
            rig.desk.event(&Event::Unlinked(other, one, DeskId(2)), View::Text, rig.now);
        } else {
            rig.desk.reply(&Reply::Unlinked(other, one));
        }
        rig.says(1, "to you");
        rig.draw();

        assert!(rig.last_row().ends_with("2 pending · 3 here"), "{:?}", rig.last_row());
        let told =
            if by_another { "* #2 and #1 are linked no more" } else { "-> #2 and #1 are linked no more" };
        assert!(rig.rows().iter().any(|row| row.starts_with(told)), "{:#?}", rig.rows());
    }
}
