//! Series that are gone.

use super::Counter;
use super::target::Target;

impl Counter {
    /// Forgets series and targets without a sample since `before`; says where each remaining series
    /// is now (`None` for those that are gone).
    pub fn prune(&mut self, before: i64) -> Vec<Option<u32>> {
        let mut kept = 0_u32;
        let mut moves = Vec::with_capacity(self.series.len());
        for track in &self.series {
            let keep = track.at >= before;
            moves.push(keep.then_some(kept));
            kept += u32::from(keep);
        }
        let mut is_kept = moves.iter().map(Option::is_some);
        if let Some(notes) = &mut self.notes {
            notes.retain(|_| is_kept.next().unwrap_or(false));
        }
        self.series.retain(|t| t.at >= before);
        let mut targets = Vec::new();
        for track in &mut self.series {
            let old = &self.targets[track.target as usize];
            let at = targets.iter().position(|t: &Target| t.key == old.key);
            let at = at.unwrap_or_else(|| {
                targets.push(old.clone());
                targets.len() - 1
            });
            track.target = u32::try_from(at).unwrap_or(u32::MAX);
        }
        self.targets = targets;
        moves
    }
}
