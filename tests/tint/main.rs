//! `cargo test --test tint -- DIR` writes what `scripts/check-tint` puts through Dawn: every composition of shaders,
//! and plans with their data. It checks nothing by itself, and so is no part of a plain `cargo test`.
//!
//! | file | holds |
//! |---|---|
//! | `N.wgsl` | a composition, after the header it stands for |
//! | `compositions.json` | the header and the bindings of each |
//! | `plans.json` | buffers, dispatches and expected outputs; places are `[buffer, start, end]` in bytes |
//! | `plans.bin` | contents of buffers, parameter blocks and expected values, where `plans.json` says |

mod backward;
#[path = "../common/compositions.rs"]
mod compositions;
mod places;
mod plans;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use wgnorm::scaler::scaler_shaders;
use wgnorm::shader::{Dialect, Header};

use compositions::{devices, headers};
use places::Place;
use plans::{Output, Plan, plans};

fn main() -> io::Result<()> {
    let Some(folder) = std::env::args().nth(1) else {
        println!("tint: not checked; scripts/check-tint does");
        return Ok(());
    };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let mut devices = devices();
    for traits in &mut devices {
        (traits.wide_integers, traits.aliased_writes) = (false, false);
    }
    let mut compositions = Compositions::default();
    // Sorted, so that numbers are the same at every run.
    let mut headers: Vec<Header> = headers(&devices).into_iter().collect();
    headers.sort_by_cached_key(|header| format!("{header:?}"));
    for header in &headers {
        compositions.number(header);
    }
    for shader in scaler_shaders() {
        compositions.add(shader.wgsl, |text| Composition {
            text,
            header: shader.name,
            bindings: shader
                .bindings
                .iter()
                .map(|&(slot, written)| layout(slot, written))
                .collect(),
            subgroups: false,
        });
    }
    let mut data = Data::new(&folder.join("plans.bin"))?;
    let plans: Vec<Value> = (plans().iter().chain(&backward::plans()))
        .map(|plan| described(plan, &mut compositions, &mut data))
        .collect::<io::Result<_>>()?;
    data.file.flush()?;
    fs::write(folder.join("plans.json"), Value::from(plans).to_string())?;
    compositions.write(folder)
}

/// Shaders by their text: headers differ in fields that a kernel does not use.
#[derive(Default)]
struct Compositions {
    numbers: HashMap<String, usize>,
    list: Vec<Composition>,
}

struct Composition {
    text: String,
    header: String,
    bindings: Vec<Value>,
    subgroups: bool,
}

impl Compositions {
    fn number(&mut self, header: &Header) -> usize {
        assert!(!header.pairs, "WebGPU has no 64-bit integers: {header:?}");
        self.add(header.wgsl_for(Dialect::WebGpu), |text| Composition {
            text,
            header: format!("{header:?}"),
            bindings: (header.bindings().iter())
                .map(|binding| layout(binding.slot.binding(), binding.read_write))
                .collect(),
            subgroups: header.uses_subgroups(),
        })
    }

    fn add(&mut self, text: String, composition: impl FnOnce(String) -> Composition) -> usize {
        let next = self.list.len();
        let number = *self.numbers.entry(text.clone()).or_insert(next);
        if number == next {
            self.list.push(composition(text));
        }
        number
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let mut list = Vec::new();
        for (number, composition) in self.list.iter().enumerate() {
            let Composition {
                text,
                header,
                bindings,
                subgroups,
            } = composition;
            // Directives come first in WGSL, but comments may precede them.
            fs::write(folder.join(format!("{number}.wgsl")), format!("// {header}\n{text}"))?;
            list.push(json!({ "header": header, "bindings": bindings, "subgroups": subgroups }));
        }
        fs::write(folder.join("compositions.json"), Value::from(list).to_string())
    }
}

/// Number and type of a binding.
fn layout(binding: u32, written: bool) -> Value {
    let ty = if written { "storage" } else { "read-only-storage" };
    json!([binding, ty])
}

fn described(plan: &Plan, compositions: &mut Compositions, data: &mut Data) -> io::Result<Value> {
    let mut buffers = Vec::new();
    for words in &plan.buffers {
        buffers.push(json!([data.add(bytemuck::cast_slice(words))?, words.len() * 4]));
    }
    let mut dispatches = Vec::new();
    for dispatch in &plan.dispatches {
        let bindings: Vec<Value> = (dispatch.bindings.iter())
            .map(|(binding, place)| json!([binding.slot.binding(), range(place)]))
            .collect();
        dispatches.push(json!({
            "composition": compositions.number(&dispatch.header),
            "params": [data.add(bytemuck::bytes_of(&dispatch.params))?, size_of_val(&dispatch.params)],
            "workgroups": dispatch.workgroups,
            "bindings": bindings,
        }));
    }
    let mut outputs = Vec::new();
    for Output {
        name,
        place,
        words,
        expected,
        tolerance,
    } in &plan.outputs
    {
        outputs.push(json!({
            "name": name,
            "place": range(place),
            "words": match words {
                Some(words) => json!([data.add_shared(words)?, words.len()]),
                None => Value::Null,
            },
            "expected": [data.add_shared(expected)?, expected.len()],
            "rtol": tolerance.rtol,
            "atol": tolerance.atol,
        }));
    }
    Ok(json!({
        "name": plan.name,
        "buffers": buffers,
        "dispatches": dispatches,
        "outputs": outputs,
        "written": plan.written.iter().map(range).collect::<Vec<_>>(),
    }))
}

fn range(place: &Place) -> Value {
    json!([place.buffer, place.start, place.end])
}

/// The file of everything that is not text.
struct Data {
    file: BufWriter<File>,
    bytes: usize,
    /// Where lists are that several plans share.
    shared: HashMap<*const u8, usize>,
}

impl Data {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(File::create(path)?),
            bytes: 0,
            shared: HashMap::new(),
        })
    }

    /// Appends at a multiple of 8 bytes, and returns which.
    fn add(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let start = self.bytes;
        self.file.write_all(bytes)?;
        self.file
            .write_all(&[0; 8][..bytes.len().next_multiple_of(8) - bytes.len()])?;
        self.bytes += bytes.len().next_multiple_of(8);
        Ok(start)
    }

    fn add_shared<T: bytemuck::NoUninit>(&mut self, values: &Rc<Vec<T>>) -> io::Result<usize> {
        let at = values.as_ptr().cast();
        if let Some(&start) = self.shared.get(&at) {
            return Ok(start);
        }
        let start = self.add(bytemuck::cast_slice(values))?;
        self.shared.insert(at, start);
        Ok(start)
    }
}
