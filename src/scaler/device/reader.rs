//! What reads data of a device in spans.

use wgpu::util::DeviceExt;

use super::shader::{Header, Input, Kernel, OUTPUT, Params, ROWS, TABLE, X};
use super::{Bind, TRIPS, bound, check_indices, row_digits};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::scaler::features::Features;

/// Words of a span's result.
pub(super) const WORDS: usize = 8;
/// Spans of all features, at most: they are read back.
const SPANS: usize = 1 << 15;
/// Rows of a span, at least, if that many spans hold them.
const ROWS_OF_A_SPAN: usize = 256;
/// Reads of an element by the kernel that fits.
const READS: usize = 3;

/// What a part that was recorded will leave in the results.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "what was recorded has to be taken in"]
pub struct Recorded {
    /// How many words, from the first on.
    pub words: usize,
    pub(super) rows: usize,
    pub(super) weighted: bool,
    /// The keys of its spans, where there are any.
    pub(super) keys: Vec<u32>,
}

impl Recorded {
    /// Refuses other results.
    pub(super) fn check(&self, words: &[u32]) -> Result<()> {
        if words.len() != self.words {
            bail!(Size, "words", "are {}, {} were recorded", words.len(), self.words);
        }
        Ok(())
    }
}

/// Reads data of so many features, and has the buffer in which their results are left.
#[derive(Debug)]
pub(super) struct Reader {
    context: Context,
    pub features: usize,
    pub results: wgpu::Buffer,
    pub input: Input,
}

/// How a part is read.
pub(super) struct Reading<'a> {
    pub kernel: Kernel,
    pub weights: Option<View<'a>>,
    pub rows: Option<Listed>,
    pub table: Option<Vec<u32>>,
    /// Counters; none where every span has a result.
    pub counters: usize,
    /// Iterations that an element takes, at most.
    pub iterations: usize,
    /// What the kernel is told besides.
    pub params: Params,
}

impl Reading<'_> {
    /// A fit by spans.
    pub fn spans(kernel: Kernel) -> Self {
        Self {
            kernel,
            weights: None,
            rows: None,
            table: None,
            counters: 0,
            iterations: READS,
            params: Params::default(),
        }
    }

    /// Counts by a table.
    pub fn counts(kernel: Kernel, table: Option<Vec<u32>>, counters: usize, iterations: usize, params: Params) -> Self {
        Self {
            table,
            counters,
            iterations,
            params: Params {
                counters: counters as u32,
                ..params
            },
            ..Self::spans(kernel)
        }
    }
}

/// Rows by key, in spans.
#[derive(Debug)]
pub(super) struct Listed {
    /// First place and number of rows of each span, then the rows.
    list: Vec<u32>,
    /// By span.
    keys: Vec<u32>,
}

impl Listed {
    /// Spans of the rows of every key, for so many features.
    pub fn new(keys: &[u32], features: usize) -> Self {
        let most = TRIPS / (READS + 1);
        let height = (keys.len() * features / SPANS).clamp(ROWS_OF_A_SPAN, most);
        let mut order: Vec<u32> = (0..keys.len() as u32).collect();
        order.sort_by_key(|&row| keys[row as usize]);
        let spans: Vec<&[u32]> = order
            .chunk_by(|&a, &b| keys[a as usize] == keys[b as usize])
            .flat_map(|rows| rows.chunks(height))
            .collect();
        let mut list = Vec::with_capacity(2 * spans.len() + order.len());
        let mut place = 2 * spans.len();
        for span in &spans {
            list.extend([place as u32, span.len() as u32]);
            place += span.len();
        }
        let keys = spans.iter().map(|span| keys[span[0] as usize]).collect();
        list.extend(&order);
        Self { list, keys }
    }
}

impl Reader {
    /// Room for so many words of results, and for those of spans.
    pub fn new(context: &Context, features: usize, words: usize) -> Result<Self> {
        Ok(Self {
            context: context.clone(),
            features,
            results: results(context, features, words)?,
            input: Input::F32,
        })
    }

    /// The words that the spans of a feature take, at most.
    pub fn words_of_spans(features: usize) -> usize {
        features.max(SPANS) * WORDS
    }

    /// Another buffer of results, if that many words need one.
    pub fn make_room(&mut self, words: usize) -> Result<()> {
        if self.holds(words) {
            return Ok(());
        }
        self.results = results(&self.context, self.features, words)?;
        Ok(())
    }

    pub fn is_software(&self) -> bool {
        self.context.traits().software
    }

    fn holds(&self, words: usize) -> bool {
        (words as u64 + 1) * 4 <= self.results.size()
    }

    /// Words that a part with rows by key leaves.
    pub fn words_of(&self, rows: &Listed) -> usize {
        rows.keys.len() * self.features * WORDS
    }

    /// Records what reads a part.
    pub fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        x: View<'_>,
        features: Features,
        reading: Reading<'_>,
    ) -> Result<Recorded> {
        let Reading {
            kernel,
            weights,
            rows: listed,
            table,
            counters,
            iterations,
            params,
        } = reading;
        features.expect("x", self.features)?;
        check_indices(&features, "x")?;
        let (x, x_offset) = Bind::view(&self.context, "x", X, x, features.span(), self.input)?;
        let rows = features.rows();
        let weights = weights
            .map(|view| Bind::view(&self.context, "weights", TABLE, view, rows, Input::F32))
            .transpose()?;
        let nothing = Recorded {
            words: 0,
            rows,
            weighted: weights.is_some(),
            keys: Vec::new(),
        };
        if features.elements() == 0 {
            return Ok(nothing);
        }
        let software = self.is_software();
        let (inner, x_outer, x_inner, one_row_digit) = row_digits(&features);
        let (spans, span_rows) = match &listed {
            Some(listed) => (listed.keys.len(), rows),
            None => {
                let most = TRIPS / (iterations + 1);
                let wanted = rows.div_ceil(ROWS_OF_A_SPAN).min((SPANS / self.features).max(1));
                let span_rows = rows.div_ceil(wanted.max(rows.div_ceil(most)));
                (rows.div_ceil(span_rows), span_rows)
            }
        };
        let words = if counters == 0 {
            spans * self.features * WORDS
        } else {
            counters
        };
        if !self.holds(words) {
            let features = self.features;
            bail!(Limit, "x", "has {rows} rows of {features} features; fit it in parts");
        }
        let header = Header {
            kernel,
            features_innermost: features.feature.stride <= x_inner as usize || software,
            one_row_digit,
            input: self.input,
        };
        let mut params = Params {
            rows: rows as u32,
            features: self.features as u32,
            inner,
            x_offset,
            x_outer,
            x_feature: features.feature.stride as u32,
            x_inner,
            spans: spans as u32,
            // A processor likes neighbours one after the other, a GPU side by side. (One span is both.)
            span_first: if software || spans == 1 { span_rows as u32 } else { 1 },
            span_step: if software { 1 } else { spans as u32 },
            ..params
        };
        let mut binds = vec![x, Bind::whole(OUTPUT, &self.results)];
        if let Some((weights, offset)) = weights {
            params.w_offset = offset;
            binds.push(weights);
        }
        let table = table.map(|table| self.words("wgnorm scaler table", &table));
        binds.extend(table.iter().map(|table| Bind::whole(TABLE, table)));
        let list = listed.as_ref().map(|rows| self.words("wgnorm scaler rows", &rows.list));
        binds.extend(list.iter().map(|list| Bind::whole(ROWS, list)));
        let bound = bound(&self.context, &header, &params, (spans * self.features) as u64, &binds)?;
        if counters > 0 {
            encoder.clear_buffer(&self.results, 0, None);
        }
        bound.record(encoder);
        Ok(Recorded {
            words,
            keys: listed.map_or(Vec::new(), |listed| listed.keys),
            ..nothing
        })
    }

    fn words(&self, label: &str, words: &[u32]) -> wgpu::Buffer {
        words_buffer(&self.context, label, words)
    }
}

/// A buffer of words that kernels read.
pub(super) fn words_buffer(context: &Context, label: &str, words: &[u32]) -> wgpu::Buffer {
    context.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some(label),
        contents: bytemuck::cast_slice(words),
        usage: wgpu::BufferUsages::STORAGE,
    })
}

fn results(context: &Context, features: usize, words: usize) -> Result<wgpu::Buffer> {
    // One counter more is nobody's.
    let bytes = (words as u64 + 1).next_multiple_of(4) * 4;
    let most = context.traits().binding_size;
    if bytes > most {
        bail!(
            Limit,
            "features",
            "are {features}, whose results take {bytes} bytes; the device binds {most}"
        );
    }
    Ok(context.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("wgnorm scaler results"),
        size: bytes,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    }))
}

/// The methods that all have which read data in parts.
macro_rules! reads {
    ($reader:ident) => {
        impl $reader {
            /// Data are u8, four to a word of their buffers.
            pub fn of_u8(mut self) -> Self {
                self.reader.input = $crate::scaler::device::shader::Input::U8;
                self
            }

            /// Where results are left. It may be another buffer after the next part, and in the next pass.
            pub fn results(&self) -> &wgpu::Buffer {
                &self.reader.results
            }
        }
    };
}
pub(super) use reads;
