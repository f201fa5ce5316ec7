//! Variables that win over the one by which a boot leads the app to its weights: one table for `run`, `doctor` and
//! `doctor FILE`. Pure.
//!
//! Sources: huggingface_hub `constants.py` (HF_HUB_CACHE, then HUGGINGFACE_HUB_CACHE, over HF_HOME), transformers
//! `utils/hub.py` (PYTORCH_PRETRAINED_BERT_CACHE, PYTORCH_TRANSFORMERS_CACHE, TRANSFORMERS_CACHE over HF_HUB_CACHE and
//! HF_HOME), sentence-transformers (SENTENCE_TRANSFORMERS_HOME over both), datasets `config.py` (HF_DATASETS_CACHE over
//! HF_HOME), torch `hub.py` (TORCH_HOME over XDG_CACHE_HOME), llama.cpp `common.cpp` (LLAMA_CACHE over XDG_CACHE_HOME over
//! HOME), rembg (U2NET_HOME over XDG_DATA_HOME), Coqui TTS (TTS_HOME over XDG_DATA_HOME), EasyOCR
//! (EASYOCR_MODULE_PATH over HOME), and the XDG base directories (XDG_CACHE_HOME over HOME).

/// Who wins, over whom, and where it should lead below that one's directory.
const TABLE: [(&str, &str, &str); 25] = [
    ("HF_HUB_CACHE", "HF_HOME", "hub"),
    ("HUGGINGFACE_HUB_CACHE", "HF_HOME", "hub"),
    ("TRANSFORMERS_CACHE", "HF_HOME", "hub"),
    ("PYTORCH_TRANSFORMERS_CACHE", "HF_HOME", "hub"),
    ("PYTORCH_PRETRAINED_BERT_CACHE", "HF_HOME", "hub"),
    ("SENTENCE_TRANSFORMERS_HOME", "HF_HOME", "hub"),
    ("HF_DATASETS_CACHE", "HF_HOME", "datasets"),
    ("TRANSFORMERS_CACHE", "HF_HUB_CACHE", ""),
    ("PYTORCH_TRANSFORMERS_CACHE", "HF_HUB_CACHE", ""),
    ("PYTORCH_PRETRAINED_BERT_CACHE", "HF_HUB_CACHE", ""),
    ("SENTENCE_TRANSFORMERS_HOME", "HF_HUB_CACHE", ""),
    ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", ""),
    ("TRANSFORMERS_CACHE", "HUGGINGFACE_HUB_CACHE", ""),
    ("HF_HUB_CACHE", "XDG_CACHE_HOME", "huggingface/hub"),
    ("HF_HOME", "XDG_CACHE_HOME", "huggingface"),
    ("TORCH_HOME", "XDG_CACHE_HOME", "torch"),
    ("LLAMA_CACHE", "XDG_CACHE_HOME", "llama.cpp"),
    ("MODELSCOPE_CACHE", "XDG_CACHE_HOME", "modelscope"),
    ("U2NET_HOME", "XDG_DATA_HOME", ".u2net"),
    ("TTS_HOME", "XDG_DATA_HOME", "tts"),
    ("XDG_CACHE_HOME", "HOME", ".cache"),
    ("DEEPFACE_HOME", "HOME", ""),
    ("OLLAMA_MODELS", "HOME", ".ollama/models"),
    ("KERAS_HOME", "HOME", ".keras"),
    ("EASYOCR_MODULE_PATH", "HOME", ".EasyOCR"),
];

/// A variable that has priority and leads elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Winner {
    /// Its name.
    pub name: &'static str,
    /// Where it leads.
    pub found: String,
    /// The path that it would have to name.
    pub expected: String,
}

impl Winner {
    /// What that means.
    pub fn words(&self, over: &str) -> String {
        format!(
            "{} has priority over {over}, which leads to the verified weights: the app reads {}, not {}",
            self.name, self.found, self.expected
        )
    }
}

/// The variables of an environment that win over this one, which is about to be set to `root`.
pub fn over(name: &str, root: &str, env: &dyn Fn(&str) -> Option<String>) -> Vec<Winner> {
    let rows = TABLE.iter().filter(|(_, loser, _)| *loser == name);
    let winner = |(winner, _, below): &(&'static str, &str, &str)| {
        let found = env(winner).filter(|value| !value.is_empty())?;
        let expected =
            if below.is_empty() { root.to_owned() } else { format!("{}/{below}", root.trim_end_matches('/')) };
        let same = found.trim_end_matches('/') == expected.trim_end_matches('/');
        (!same).then_some(Winner { name: winner, found, expected })
    };
    rows.filter_map(winner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_wins_and_leads_elsewhere_is_named_with_where_it_should_lead() {
        type Pairs = &'static [(&'static str, &'static str)];
        let rows: [(&str, Pairs, Pairs); 11] = [
            ("HF_HOME", &[("HF_HUB_CACHE", "/elsewhere")], &[("HF_HUB_CACHE", "/m/hub")]),
            ("HF_HOME", &[("HF_HUB_CACHE", "/m/hub/")], &[]),
            ("HF_HOME", &[("HF_HUB_CACHE", "")], &[]),
            ("HF_HOME", &[("TORCH_HOME", "/elsewhere")], &[]),
            (
                "HF_HOME",
                &[("TRANSFORMERS_CACHE", "/a"), ("HUGGINGFACE_HUB_CACHE", "/b")],
                &[("HUGGINGFACE_HUB_CACHE", "/m/hub"), ("TRANSFORMERS_CACHE", "/m/hub")],
            ),
            ("HF_HUB_CACHE", &[("TRANSFORMERS_CACHE", "/a")], &[("TRANSFORMERS_CACHE", "/m")]),
            ("HF_HUB_CACHE", &[("HUGGINGFACE_HUB_CACHE", "/a"), ("HF_HOME", "/b")], &[]),
            ("HUGGINGFACE_HUB_CACHE", &[("HF_HUB_CACHE", "/a")], &[("HF_HUB_CACHE", "/m")]),
            ("XDG_CACHE_HOME", &[("TORCH_HOME", "/a")], &[("TORCH_HOME", "/m/torch")]),
            ("HOME", &[("DEEPFACE_HOME", "/a")], &[("DEEPFACE_HOME", "/m")]),
            ("MODELS", &[("HF_HUB_CACHE", "/a")], &[]),
        ];
        let mut wrong = Vec::new();
        for (name, set, expected) in rows {
            let env = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let found = over(name, "/m", &env);
            let found: Vec<_> = found.iter().map(|winner| (winner.name, winner.expected.as_str())).collect();
            if found != expected {
                wrong.push(format!("{name} {set:?}: {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
