//! What DeepFace's routes take, described. The fields are read in `asked`.
#![expect(dead_code, reason = "only described")]

use utoipa::ToSchema;

macro_rules! request {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(ToSchema)]
        pub struct $name {
            $($(#[$field_doc])* $field: $kind,)*
            /// `Facenet512`, the only one that is held.
            #[schema(default = "Facenet512", pattern = "^Facenet512$")]
            model_name: Option<String>,
            /// `centerface`, or `skip`: the whole photograph is the face.
            #[schema(default = "centerface", pattern = "^(centerface|skip)$")]
            detector_backend: Option<String>,
            /// Whether a photograph without a face is refused; otherwise the whole of it is the face.
            #[schema(default = true)]
            enforce_detection: Option<bool>,
            /// Whether faces are turned upright.
            #[schema(default = true)]
            align: Option<bool>,
            /// Whether a face that is not real is refused.
            #[schema(default = false)]
            anti_spoofing: Option<bool>,
        }
    };
}

request! {
    /// Two photographs in base64, with or without the head of a data URI.
    VerifyJson {
        /// Base64 of a JPEG, PNG or WebP. No path, no URL.
        img1: String,
        /// The other one.
        img2: String,
        /// `cosine`, `euclidean`, `euclidean_l2` or `angular`.
        #[schema(default = "cosine", pattern = "^(cosine|euclidean|euclidean_l2|angular)$")]
        distance_metric: Option<String>,
    }
}

request! {
    /// Two photographs as files.
    VerifyForm {
        /// JPEG, PNG or WebP; base64 as text is read too.
        #[schema(value_type = String, format = Binary)]
        img1: Vec<u8>,
        /// The other one.
        #[schema(value_type = String, format = Binary)]
        img2: Vec<u8>,
        /// `cosine`, `euclidean`, `euclidean_l2` or `angular`.
        #[schema(default = "cosine", pattern = "^(cosine|euclidean|euclidean_l2|angular)$")]
        distance_metric: Option<String>,
    }
}

request! {
    /// A photograph in base64.
    RepresentJson {
        /// Base64 of a JPEG, PNG or WebP. No path, no URL.
        img: String,
        /// At most so many faces, the largest.
        #[schema(minimum = 1, maximum = 50)]
        max_faces: Option<u32>,
    }
}

request! {
    /// A photograph as a file.
    RepresentForm {
        /// JPEG, PNG or WebP; base64 as text is read too.
        #[schema(value_type = String, format = Binary)]
        img: Vec<u8>,
        /// At most so many faces, the largest.
        #[schema(minimum = 1, maximum = 50)]
        max_faces: Option<u32>,
    }
}
