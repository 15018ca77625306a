//! `wgnorm` without a command: a short look at everything.

use wgnorm::verify::{self, Scale};

use crate::bench;
use crate::console::say;
use crate::device::{Device, DeviceArgs};
use crate::failure::{Failure, Result};
use crate::report::{self, Report};
use crate::verify::{Choice, progress, run_case};

const RUNS: usize = 5;

pub fn run(device: &DeviceArgs) -> Result<()> {
    let device = device.open()?;
    say!("adapter  {}", device.describe());

    say!(
        "\nNormalizations against a float64 reference, {}:",
        report::TABLE_CAPTION
    );
    let mut report = Report::new(device.describe());
    for case in progress(verify::cases(Scale::Smoke), |case| case.id.clone()) {
        run_case(&device, &case, (Choice::Planner, false), &mut report)?;
    }
    say!("{}", report.table());
    report.print_summary();

    if let Device::Gpu(context) = &device {
        say!("\nSpeed, each row verified first:");
        let rows = bench::demonstrate(context, RUNS)?;
        say!("{}", bench::table(&rows));
        say!("{}", bench::TABLE_CAPTION);
    }
    say!(
        "\nMore:
  wgnorm norm IN.npy -o OUT.npy --op layer    normalize a tensor file
  wgnorm verify                               every operation and kernel variant against the reference
  wgnorm bench --quick                        more shapes, and the copy limit of this device
  wgnorm plan --op layer --shape 4096,1024    what would run
  wgnorm info                                 adapters and their limits
  wgnorm help                                 all commands and flags"
    );
    match report.failed {
        0 => Ok(()),
        failed => Err(Failure::Mismatch(format!("{failed} cases failed"))),
    }
}
