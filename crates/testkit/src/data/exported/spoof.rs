//! A spoof network, exported.

use std::collections::HashMap;

use super::super::minifasnet::Plan;
use super::super::onnx::Attribute;
use super::super::tensor::Tensor;
use super::{Exported, Form, Norm, PLAIN, Then, Unit, Window, Writer};

/// A spoof network, of the tensors of its state dict.
pub fn minifasnet(plan: &Plan, tensors: Vec<Tensor>, form: Form) -> Exported {
    let tensors = tensors.into_iter().map(|tensor| (tensor.name.trim_start_matches("module.").to_owned(), tensor));
    let (writer, mut x) = Writer::new(form, 80);
    let mut maker = Spoof { tensors: tensors.collect(), writer };
    x = maker.unit(&x, "conv1", Window { stride: 2, around: [1, 1], group: 1 });
    x = maker.unit(&x, "conv2_dw", Window { stride: 1, around: [1, 1], group: 32 });
    x = maker.block(&x, "conv_23", 103, 2);
    x = maker.residual(&x, "conv_3", plan.conv_3, 64, plan.squeeze);
    x = maker.block(&x, "conv_34", 231, 2);
    x = maker.residual(&x, "conv_4", plan.conv_4, 128, plan.squeeze);
    x = maker.block(&x, "conv_45", 308, 2);
    x = maker.residual(&x, "conv_5", plan.conv_5, 128, plan.squeeze);
    x = maker.unit(&x, "conv_6_sep", PLAIN);
    x = maker.unit(&x, "conv_6_dw", Window { group: 512, ..PLAIN });
    x = maker.writer.viewed(&x, 512);
    let (linear, norm) = (maker.take("linear.weight"), maker.norm("bn"));
    x = maker.writer.linear(&x, &linear, Some(&norm));
    let prob = maker.take("prob.weight");
    x = maker.writer.linear(&x, &prob, None);
    x = maker.writer.graph.node("Softmax", &[&x], vec![Attribute::Int("axis", 1)]);
    maker.writer.finish(&x, 3)
}

struct Spoof {
    tensors: HashMap<String, Tensor>,
    writer: Writer,
}

impl Spoof {
    fn take(&mut self, key: &str) -> Tensor {
        self.tensors.remove(key).unwrap_or_else(|| panic!("{key}"))
    }

    fn norm(&mut self, at: &str) -> Norm {
        let [gamma, beta, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|part| self.take(&format!("{at}.{part}")).values);
        Norm { gamma, beta, mean, variance, epsilon: 1e-5 }
    }

    fn unit(&mut self, x: &str, at: &str, window: Window) -> String {
        let (filter, norm) = (self.take(&format!("{at}.conv.weight")), Some(self.norm(&format!("{at}.bn"))));
        let slopes = self.tensors.remove(&format!("{at}.prelu.weight"));
        let then = slopes.map_or(Then::Nothing, |slopes| Then::Prelu(slopes.values));
        self.writer.conv(x, &Unit { filter, norm, bias: None, then }, window)
    }

    fn block(&mut self, x: &str, at: &str, wide: usize, stride: usize) -> String {
        let x = self.unit(x, &format!("{at}.conv"), PLAIN);
        let x = self.unit(&x, &format!("{at}.conv_dw"), Window { stride, around: [1, 1], group: wide });
        self.unit(&x, &format!("{at}.project"), PLAIN)
    }

    fn residual(&mut self, x: &str, at: &str, widths: &[usize], channels: usize, squeeze: bool) -> String {
        let mut x = x.to_owned();
        for (index, wide) in widths.iter().enumerate() {
            let at = format!("{at}.model.{index}");
            let mut y = self.block(&x, &at, *wide, 1);
            if squeeze && index + 1 == widths.len() {
                let mean = self.writer.average(&y, channels);
                let few = self.excite(&mean, &format!("{at}.se_module"), 1, Then::Relu);
                let all = self.excite(&few, &format!("{at}.se_module"), 2, Then::Nothing);
                let gate = self.writer.graph.node("Sigmoid", &[&all], Vec::new());
                y = self.writer.graph.node("Mul", &[&y, &gate], Vec::new());
            }
            x = self.writer.graph.node("Add", &[&x, &y], Vec::new());
        }
        x
    }

    fn excite(&mut self, x: &str, at: &str, number: usize, then: Then) -> String {
        let filter = self.take(&format!("{at}.fc{number}.weight"));
        let norm = Some(self.norm(&format!("{at}.bn{number}")));
        self.writer.conv(x, &Unit { filter, norm, bias: None, then }, PLAIN)
    }
}
