//! What DeepFace's routes take, described. `request` reads the fields. In a form every value is a
//! text, and an empty one counts as absent.
#![expect(dead_code, reason = "only described")]

use utoipa::ToSchema;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Schema, Type};

/// A boolean as clients write it in JSON.
fn truth() -> Schema {
    let words = "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|1|0)?$";
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(1));
    let any = OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Boolean))
        .item(ObjectBuilder::new().schema_type(Type::String).pattern(Some(words)))
        .item(number)
        .item(ObjectBuilder::new().schema_type(Type::Null));
    Schema::OneOf(any.build())
}

macro_rules! request {
    ($(#[$doc:meta])* $name:ident, truth $truth:tt { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(ToSchema)]
        pub struct $name {
            $($(#[$field_doc])* $field: $kind,)*
            /// `Facenet512`, the only one here.
            #[schema(default = "Facenet512", pattern = "^(Facenet512)?$")]
            model_name: Option<String>,
            /// `centerface`, or `skip`: the whole photograph is the face.
            #[schema(default = "centerface", pattern = "^(centerface|skip)?$")]
            detector_backend: Option<String>,
            /// Whether a photograph without a face is refused; otherwise the whole photograph is the face. True by
            /// default.
            #[schema$truth]
            enforce_detection: Option<bool>,
            /// Whether faces are turned upright. True by default.
            #[schema$truth]
            align: Option<bool>,
            /// Whether a face that is not real is refused. False by default.
            #[schema$truth]
            anti_spoofing: Option<bool>,
        }
    };
}

request! {
    /// Two photographs in base64, with or without the head of a data URI.
    VerifyJson, truth (schema_with = truth) {
        /// Base64 of a JPEG, PNG or WebP. No path, no URL.
        #[schema(format = Byte)]
        img1: String,
        /// The other one.
        #[schema(format = Byte)]
        img2: String,
        /// `cosine`, `euclidean`, `euclidean_l2` or `angular`.
        #[schema(default = "cosine", pattern = "^(cosine|euclidean|euclidean_l2|angular)?$")]
        distance_metric: Option<String>,
    }
}

request! {
    /// Two photographs as files.
    VerifyForm, truth (value_type = Option<String>, pattern = "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|1|0)?$") {
        /// JPEG, PNG or WebP; base64 as text is read too.
        #[schema(value_type = String, format = Binary)]
        img1: Vec<u8>,
        /// The other one.
        #[schema(value_type = String, format = Binary)]
        img2: Vec<u8>,
        /// `cosine`, `euclidean`, `euclidean_l2` or `angular`.
        #[schema(default = "cosine", pattern = "^(cosine|euclidean|euclidean_l2|angular)?$")]
        distance_metric: Option<String>,
    }
}

request! {
    /// A photograph in base64.
    RepresentJson, truth (schema_with = truth) {
        /// Base64 of a JPEG, PNG or WebP. No path, no URL.
        #[schema(format = Byte)]
        img: String,
        /// The most faces, the largest first.
        #[schema(minimum = 1, maximum = 50)]
        max_faces: Option<u32>,
    }
}

request! {
    /// A photograph as a file.
    RepresentForm, truth (value_type = Option<String>, pattern = "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|1|0)?$") {
        /// JPEG, PNG or WebP; base64 as text is read too.
        #[schema(value_type = String, format = Binary)]
        img: Vec<u8>,
        /// The most faces, the largest first; 1 to 50.
        #[schema(value_type = Option<String>, pattern = "^([1-9]|[1-4][0-9]|50)?$")]
        max_faces: Option<u32>,
    }
}
