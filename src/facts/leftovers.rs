//! Leftovers by group, and the names of layers: what both the checks and the report's savings need.

use image_audit::census::Census;
use image_audit::config::Image;
use image_audit::leftovers::Group;
use image_audit::leftovers::LeftoverFound;
use image_audit::packages::Manager;

/// What is smaller is summed up and not listed.
pub const WORTH_A_LINE: u64 = 100_000;

/// The leftovers of some groups. Toolkit parts from a wheel or a conda package are left out: frameworks compile
/// kernels with them at run time.
pub fn of_groups<'a>(census: &'a Census, groups: &'a [Group]) -> impl Iterator<Item = &'a LeftoverFound> {
    let for_running = |leftover: &LeftoverFound| {
        let manager = leftover.package.as_ref().map(|package| package.manager);
        leftover.kind.group() == Group::Toolkit && matches!(manager, Some(Manager::Pip | Manager::Conda))
    };
    let wanted = |leftover: &LeftoverFound| groups.contains(&leftover.kind.group());
    census.leftovers.iter().filter(move |leftover| wanted(leftover) && !for_running(leftover))
}

/// `layer 3 (RUN pip install torch)`.
pub fn layer_name(image: &Image, number: usize) -> String {
    match image.layers.get(number).and_then(|layer| layer.instruction.as_deref()) {
        Some(instruction) => format!("layer {number} ({instruction})"),
        None => format!("layer {number}"),
    }
}
