//! What is known at an attached desk alone: its current target, and what it shows.

use super::Attached;
use super::commands::Meant;
use crate::desk::{Aim, Filter, Filtered, Outcome, Refusal, Reply, Tally, Target, To, Who};
use crate::terminal::Whom;

/// So many who are here are named before the end of the server.
const NAMED_MAX: usize = 5;

impl Attached {
    /// Who is here, in one line.
    pub(super) fn who_is_here(&self, meant: &Meant<'_>) -> String {
        let here = meant.here.len();
        if here == 0 {
            return "nobody is connected".to_owned();
        }
        let named = meant.here.serials().take(NAMED_MAX).map(|serial| match meant.here.name(serial) {
            Some(name) => format!("#{serial} {name}"),
            None => format!("#{serial}"),
        });
        let named: Vec<String> = named.collect();
        let more = here.saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", named.join(", "))
    }

    /// Makes somebody the current target, who is known here alone.
    pub(super) fn aim_at(&mut self, to: &To<'_>, meant: &Meant<'_>) -> Result<(), Refusal> {
        let who = |serial| Who { serial, name: meant.here.name(serial) };
        let (aim, target) = match to {
            To::All => (Aim::All, Target::All),
            To::Last | To::Current => (Aim::Last, Target::Last),
            To::Named(name) => match meant.whom(to)? {
                Whom::One(serial) => (Aim::Named((*name).to_owned()), Target::Named(name, who(serial))),
                _ => (Aim::Named((*name).to_owned()), Target::Glob(name)),
            },
            to => match meant.whom(to)? {
                Whom::One(serial) if !meant.here.has(serial) => {
                    return Err(match meant.here.has_seen(serial) {
                        true => Refusal::Gone(serial),
                        false => Refusal::NoSuch(serial),
                    });
                }
                Whom::One(serial) => (Aim::One(serial), Target::One(who(serial))),
                Whom::Several(serials) => {
                    self.aim = Aim::Several(serials.clone());
                    let outcomes: Vec<_> =
                        serials.iter().map(|serial| (who(*serial), Outcome::Done(0))).collect();
                    let tally = Tally { done: serials.len(), ..Default::default() };
                    self.face.reply(&Reply::Targets(&serials, &outcomes, &tally));
                    return Ok(());
                }
                Whom::All | Whom::Nobody => (Aim::All, Target::All),
            },
        };
        self.aim = aim;
        self.face.reply(&Reply::TargetIs(target));
        Ok(())
    }

    /// Hides what these say, or shows it alone.
    pub(super) fn filter(&mut self, filter: &Filter<'_>, meant: &Meant<'_>) -> Result<(), Refusal> {
        let outlet = &mut self.face.outlet;
        let serials = |to: &To<'_>| match meant.whom(to)? {
            Whom::One(serial) if !meant.here.has(serial) => Err(Refusal::Gone(serial)),
            Whom::One(serial) => Ok(vec![serial]),
            Whom::Several(serials) => Ok(serials),
            Whom::All => Ok(meant.here.serials().collect()),
            Whom::Nobody => Err(Refusal::NoTarget),
        };
        let filtered = match filter {
            Filter::Mute(to) => Filtered::Muted(outlet.mute(&serials(to)?)),
            Filter::Focus(to) => {
                let serials = serials(to)?;
                outlet.focus(&serials);
                Filtered::Focused(serials.len())
            }
            Filter::All => {
                outlet.show_all();
                Filtered::All
            }
        };
        self.face.reply(&Reply::Filtered(filtered));
        Ok(())
    }
}
