//! Which files make up each kernel.

use super::modules::Module;
use super::{DxPlace, Header, Kernel, Parameters, Power, Reduction, Unit};
use crate::spec::DType;

impl Header {
    /// The files that make up the shader, in any order.
    pub(super) fn modules(&self) -> Vec<Module> {
        use Module::*;
        let mut modules = vec![params, prelude];
        modules.extend(self.unit.modules());
        let columns = self.unit == Unit::Columns;
        let pick = |condition, yes, no| if condition { yes } else { no };
        let statistics = [
            exponents,
            moments,
            pick(self.is_norm(), record_norm, record),
            pick(self.moments, moments_write, moments_skip),
            pick(self.records, records_write, records_skip),
            pick(self.running, running_write, running_skip),
        ];
        let rate = pick(self.counts_batches, rate_of_batches, rate_fixed);
        let updating = [running_update, rate];
        let settling = [
            pick(columns, settle_columns, settle_row),
            pick(columns, normalizer_columns, normalizer_row),
        ];
        let loose = self.unit == Unit::Loose;
        let shares = self.parameters.sharers().is_some();
        let (weight_from, bias_from) = match self.parameters {
            Parameters::Scalar if self.fold > 1 => (weight_folded, bias_folded),
            Parameters::Scalar => (weight_scalar, bias_scalar),
            Parameters::Unit if loose => (weight_loose, bias_loose),
            Parameters::Unit => (weight_unit, bias_unit),
            Parameters::Eighths if self.weight_pairs => (weight_loose_pairs, bias_loose_pairs),
            Parameters::Eighths if loose => (weight_loose_shared, bias_loose_shared),
            Parameters::Quarters if loose => (weight_loose_quarter, bias_loose_quarter),
            Parameters::Eighths | Parameters::Quarters => (weight_shared, bias_shared),
        };
        let application = [
            match self.kernel.writes_y() {
                true => pick(self.output_in_x, output_x, output_y),
                false => output_none,
            },
            if self.weight { weight_from } else { weight_none },
            if self.bias { bias_from } else { bias_none },
        ];
        // Units compute with normalizers and powers, so that those are everywhere.
        modules.extend([normalizer, single]);
        modules.push(match self.power {
            Power::Square => power_square,
            Power::Absolute => power_absolute,
            Power::Any => power_any,
            Power::Maximum => power_maximum,
        });
        if self.power == Power::Any || self.takes_windows() {
            modules.push(raise);
        }
        if self.running {
            modules.extend(updating);
        }
        if self.walks() {
            modules.extend([traversal, pick(self.sixteens, units_of_memory, units_of_run)]);
        }
        if self.kernel.reads_x() {
            modules.push(task);
            match (self.dtype, self.unit) {
                (DType::F32, Unit::Loose) => {
                    modules.push(storage_loose);
                    modules.push(match (self.pairs, self.fours) {
                        _ if self.sixteens => loose_sixteens,
                        (true, true) => loose_fours,
                        (true, false) => loose_pairs,
                        (false, _) => loose_f32,
                    });
                    modules.push(match (self.y_pairs, self.y_fours) {
                        _ if self.sixteens => pick(self.output_in_x, store_loose_sixteens_in_x, store_loose_sixteens),
                        (true, true) => store_loose_fours,
                        (true, false) => store_loose_pairs,
                        (false, _) => store_loose,
                    });
                }
                (DType::F32, Unit::Columns) if self.kernel.reads_dy() => {
                    modules.push(pick(self.pairs, storage_columns_pairs, storage_f32));
                }
                (DType::F32, _) if self.kernel.reads_dy() => {
                    modules.push(pick(self.pairs, storage_f32_pairs, storage_f32));
                }
                (DType::F32, Unit::Columns) => {
                    modules.extend([load, store, pick(self.pairs, storage_columns_pairs, storage_f32)]);
                }
                (DType::F32, _) => modules.extend([load, store, pick(self.pairs, storage_f32_pairs, storage_f32)]),
            }
            if self.pairs || self.y_pairs || self.weight_pairs {
                modules.push(halves);
            }
            if self.pairs && self.unit == Unit::Mat4 || self.sixteens {
                modules.push(pick(self.pairs, sixteen, sixteen_f32));
            }
            modules.push(match self.kernel {
                kernel if kernel.reads_dy() => self.loads_of_dy(),
                Kernel::ShortRows | Kernel::Resident => pick(self.tail_share > 0, resident_tail, resident_tail_none),
                _ => pick(self.tail, tail, tail_none),
            });
            if matches!(self.kernel, Kernel::ShortRows | Kernel::Resident) {
                modules.extend(match self.software {
                    true => &[resident_units_rolled, turn][..],
                    false => &[resident_units],
                });
                modules.push(pick(self.tries_plain_sums(), resident_quick, resident_exact));
            }
        }
        match self.kernel {
            Kernel::Lane | Kernel::ShortRows | Kernel::Tile => {
                modules.extend(statistics);
                modules.extend(settling);
                modules.extend(application);
                if self.kernel != Kernel::ShortRows {
                    modules.push(pick(self.one_chunk, accumulate_chunk, accumulate));
                }
                if self.kernel != Kernel::Tile {
                    modules.push(pick(shares, entry_subgroup, entry));
                    modules.extend(self.shared_loads());
                }
                match self.kernel {
                    Kernel::Lane => modules.extend([pick(self.one_chunk, normalize_chunk, normalize), lane]),
                    Kernel::ShortRows => modules.extend([resident, short_rows]),
                    _ => {
                        modules.extend([normalize, partial, tile]);
                        modules.extend(self.shared_parts());
                    }
                }
            }
            Kernel::Resident => {
                modules.extend(statistics);
                modules.extend(settling);
                modules.extend(application);
                modules.push(resident);
                modules.extend(self.reduction_modules());
                modules.push(pick(self.rows > 1, resident_rows, resident_row));
                let (measure, agree) = match self.reduction {
                    Reduction::Tree => (measure_tree, agree_tree),
                    Reduction::Subgroup => (measure_subgroup, agree_subgroup),
                    Reduction::WholeSubgroup => (measure_whole_subgroup, agree_subgroup),
                    Reduction::Workgroup => (measure_workgroup, agree_workgroup),
                };
                modules.push(measure);
                modules.extend(self.tries_plain_sums().then_some(agree));
                let whole_subgroup = self.reduction == Reduction::WholeSubgroup;
                modules.push(pick(whole_subgroup, first_broadcast, first_loaded));
            }
            Kernel::Partial => {
                modules.extend(statistics);
                modules.extend(settling);
                modules.extend(application);
                modules.extend([accumulate, entry_parts, partial]);
                modules.extend(self.shared_parts());
            }
            Kernel::Finish => {
                modules.extend(statistics);
                modules.extend([part, combine_parts, tree, finish]);
            }
            Kernel::Apply => {
                modules.extend(application);
                modules.push(normalize);
                if self.merges {
                    modules.extend(statistics);
                    modules.extend(settling);
                    modules.extend([part, combine_parts, entry_spans, apply_parts]);
                } else {
                    modules.push(settling[1]);
                    modules.extend(match self.fold > 1 {
                        true => &[folded, recorded_folded][..],
                        false if columns => &[recorded_columns],
                        false => &[recorded_row],
                    });
                    modules.extend(match shares {
                        true => &[apply_shared][..],
                        false => &[entry_spans, apply],
                    });
                    modules.extend(self.shared_loads());
                }
            }
            Kernel::Given => modules.extend([entry, given]),
            Kernel::Inverse => {
                modules.extend([entry, inverse]);
                modules.extend([self.weight_module(), self.bias_module()]);
            }
            Kernel::Renorm => modules.extend([entry, renorm]),
            Kernel::Running => {
                modules.extend([entry, exponents, moments, part, running]);
                modules.extend(updating);
            }
            Kernel::Window => {
                modules.extend(application);
                modules.extend([entry, exponents, response, window]);
            }
            Kernel::Copy => modules.extend([entry, copy]),
            Kernel::GradientLane => {
                modules.extend(self.gradient_modules());
                modules.extend([entry, gradient_accumulate, gradient_dx, put_dx, gradient_lane]);
            }
            Kernel::GradientSums => {
                modules.extend(self.gradient_modules());
                let emit = pick(columns, emit_sums_columns, emit_sums_row);
                modules.extend([gradient_accumulate, tree, entry_parts, shared_part, emit, gradient_sums]);
            }
            Kernel::GradientApply => {
                modules.extend(self.gradient_modules());
                modules.push(match (self.given, columns) {
                    (true, _) => coefficients_none,
                    (false, true) => coefficients_columns,
                    (false, false) => coefficients_row,
                });
                modules.extend([entry_spans, gradient_dx, put_dx, gradient_apply]);
            }
            Kernel::GradientResident => {
                modules.extend(self.gradient_modules());
                modules.extend([put_dx, gradient_resident]);
                modules.extend(self.reduction_modules());
                modules.extend(match self.software {
                    true => &[gradient_units_rolled, turn][..],
                    false => &[gradient_units],
                });
                let emit = pick(self.unit == Unit::Mat4, emit_sum_mat4, emit_sum_vec4);
                modules.extend(match (self.sums, self.one_weight) {
                    (false, _) => vec![resident_sums_none],
                    (true, true) => vec![resident_sums_segments, emit_sums_row],
                    (true, false) => vec![resident_sums, emit],
                });
            }
            Kernel::GradientTotals => {
                modules.extend([tree, gradient_totals]);
                modules.extend(self.parameter_modules());
            }
            Kernel::GradientWindow => {
                modules.push(self.weight_module());
                modules.extend([load, entry, exponents, put_dx, response, gradient_window]);
            }
            Kernel::GradientFinish => {
                modules.extend(self.gradient_modules());
                modules.extend([tree, gradient_gather, gradient_finish]);
                modules.push(pick(self.renormed, coefficients_renormed, coefficients_settled));
            }
            Kernel::GradientSegments => {
                modules.extend([tree, gradient_moments, gradient_gather, gradient_segments]);
                modules.push(self.weight_module());
            }
            Kernel::GradientGiven => {
                modules.extend(self.gradient_modules());
                modules.extend([entry, gradient_given]);
                modules.push(pick(self.renormed, coefficients_renormed, coefficients_settled));
            }
            Kernel::GradientParameters => {
                modules.extend([tree, gradient_moments, gradient_gather, gradient_parameters]);
                modules.push(self.weight_module());
                modules.extend(self.parameter_modules());
            }
        }
        modules
    }

    /// True if segments are found by digits.
    fn walks(&self) -> bool {
        let gathers = self.kernel.gathers() && !matches!(self.kernel, Kernel::GradientGiven | Kernel::GradientTotals);
        self.kernel.reads_x() || self.kernel == Kernel::Finish || gathers
    }

    /// How lanes share what they load of the weight, if they do.
    fn shared_loads(&self) -> Vec<Module> {
        use Module::*;
        let (spread, parts) = match self.parameters {
            Parameters::Scalar | Parameters::Unit => return Vec::new(),
            Parameters::Eighths => (eighths, [eighth_f32, eighth_pairs]),
            Parameters::Quarters => (quarters, [quarter_f32, quarter_pairs]),
        };
        let mut modules = vec![shared_load, spread];
        // Loose units are loaded as elements, or as pairs of their own binding.
        if self.unit == Unit::Mat4 {
            modules.push(parts[usize::from(self.pairs)]);
        }
        modules
    }

    /// The modules that reduce over the lanes of a resident segment.
    fn reduction_modules(&self) -> &'static [Module] {
        use Module::*;
        match (self.reduction, self.software) {
            (Reduction::Tree, _) => &[reduce_tree],
            (Reduction::Subgroup, _) => &[reduce_subgroup],
            (Reduction::WholeSubgroup, _) => &[reduce_whole_subgroup],
            (Reduction::Workgroup, true) => &[reduce_workgroup, reduce_across_software],
            (Reduction::Workgroup, false) => &[reduce_workgroup, reduce_across],
        }
    }

    /// The modules that write the gradients of weight and bias.
    fn parameter_modules(&self) -> [Module; 2] {
        use Module::*;
        [
            if self.dweight { dweight_write } else { dweight_skip },
            if self.dbias { dbias_write } else { dbias_skip },
        ]
    }

    /// How invocations that share a span, or a tile, sum it.
    fn shared_parts(&self) -> &'static [Module] {
        match self.tries_plain_sums() && self.lanes > 1 {
            true => &[Module::shared_part_quick],
            false => &[Module::tree, Module::shared_part],
        }
    }

    /// The module that reads dy.
    fn loads_of_dy(&self) -> Module {
        match self.dx_place {
            DxPlace::OverDy if self.kernel.writes_dx() => Module::load_dy_in_dx,
            _ => Module::load_dy,
        }
    }

    /// The module that reads the weight in the backward pass.
    fn weight_module(&self) -> Module {
        match self.parameters {
            _ if !self.weight => Module::weight_none,
            Parameters::Scalar => Module::weight_scalar,
            _ => Module::weight_unit,
        }
    }

    /// The module that reads the bias in the backward pass.
    fn bias_module(&self) -> Module {
        match self.parameters {
            _ if !self.bias => Module::bias_none,
            Parameters::Scalar => Module::bias_scalar,
            _ => Module::bias_unit,
        }
    }

    /// What the kernels of the backward pass share.
    fn gradient_modules(&self) -> Vec<Module> {
        use Module::*;
        let columns = self.unit == Unit::Columns;
        let mut modules = vec![gradient_moments];
        if self.kernel.reads_x() {
            let over_x = self.kernel.writes_dx() && self.dx_place == DxPlace::OverX;
            modules.push(if over_x { load_in_dx } else { load });
        }
        modules.extend(match (self.windowed, columns, self.normalizer_step) {
            (true, ..) => &[normalizer_row, exponents, response, x_hat_of_window][..],
            (_, true, 0) => &[normalizer_columns, recorded_shared],
            (_, true, _) => &[normalizer_columns, recorded_columns],
            (_, false, _) => &[normalizer_row, recorded_row],
        });
        modules.push(self.weight_module());
        modules.push(gradient_coefficients);
        if self.kernel.reads_x() {
            modules.push(if self.unit == Unit::Mat4 {
                gradient_mat4
            } else {
                gradient_elementwise
            });
            if self.inverts() {
                modules.extend([x_hat_of_y, self.bias_module()]);
            } else if !self.windowed {
                modules.push(x_hat_of_x);
            }
            modules.push(match self.power {
                Power::Square => direction_x_hat,
                Power::Absolute => direction_sign,
                Power::Any => direction_power,
                Power::Maximum => direction_largest,
            });
        }
        modules
    }
}
