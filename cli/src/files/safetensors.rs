//! Reading .safetensors files.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::convert::{Element, Endian, nonfinite_note};
use super::{Stored, Tensor};

/// The tensor `name`, or the only one.
pub fn parse(bytes: &[u8], name: Option<&str>) -> Result<Tensor, String> {
    let file = open(bytes)?;
    let mut names = file.names();
    names.sort_unstable();
    let name = match (name, names.as_slice()) {
        (Some(name), _) if names.contains(&name) => name,
        (Some(name), _) => return Err(format!("has no tensor {name:?}, it holds {}", listing(&names))),
        (None, [only]) => *only,
        (None, []) => return Err("holds no tensor".into()),
        (None, _) => {
            return Err(format!(
                "holds several tensors, add :TENSOR, one of {}",
                listing(&names)
            ));
        }
    };
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    let element = element(view.dtype())?;
    super::checked_bytes(view.shape(), element.width())?;
    let (values, note) = element.to_f32(view.data(), Endian::Little);
    Ok(Tensor {
        name: Some(name.to_owned()),
        others: (names.iter().filter(|&&other| other != name))
            .map(|&other| other.to_owned())
            .collect(),
        shape: view.shape().to_vec(),
        notes: note.into_iter().chain(nonfinite_note(&values)).collect(),
        values,
    })
}

/// Every tensor with its shape, as f64.
pub fn parse_all(bytes: &[u8]) -> Result<Vec<Stored>, String> {
    let read = |(name, view): (String, TensorView<'_>)| {
        let values = element(view.dtype())?.to_f64(view.data(), Endian::Little);
        Ok(Stored {
            name,
            shape: view.shape().to_vec(),
            values,
        })
    };
    open(bytes)?.tensors().into_iter().map(read).collect()
}

fn open(bytes: &[u8]) -> Result<SafeTensors<'_>, String> {
    // The crate keeps the last of two entries of one name; which was meant cannot be told.
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("not a valid safetensors file: {error}"))?;
    let entries = header_entries(bytes);
    if entries != file.len() {
        return Err(format!(
            "not a valid safetensors file: the header has {entries} entries for {} tensors",
            file.len()
        ));
    }
    Ok(file)
}

/// Number of tensor entries in the header, those of the same name counted each.
fn header_entries(bytes: &[u8]) -> usize {
    use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
    struct Count;
    impl<'de> Visitor<'de> for Count {
        type Value = usize;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the header of a safetensors file")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
            let mut entries = 0;
            while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                entries += usize::from(key != "__metadata__");
            }
            Ok(entries)
        }
    }
    let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    let header = usize::try_from(length)
        .ok()
        .and_then(|length| bytes.get(8..)?.get(..length));
    let mut json = serde_json::Deserializer::from_slice(header.unwrap_or_default());
    json.deserialize_map(Count).unwrap_or(0)
}

fn element(dtype: Dtype) -> Result<Element, String> {
    Ok(match dtype {
        Dtype::BOOL => Element::Bool,
        Dtype::U8 => Element::U8,
        Dtype::U16 => Element::U16,
        Dtype::U32 => Element::U32,
        Dtype::U64 => Element::U64,
        Dtype::I8 => Element::I8,
        Dtype::I16 => Element::I16,
        Dtype::I32 => Element::I32,
        Dtype::I64 => Element::I64,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        other => return Err(format!("elements of type {other:?} are not supported")),
    })
}

/// The first names, for a message.
fn listing(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("{name:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
