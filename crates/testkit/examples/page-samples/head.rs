//! A person who does not exist: a head as a distance field, lit and seen by a camera. Floats and a hash, no file.

type V = [f32; 3];
fn add(a: V, b: V) -> V {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}
fn sub(a: V, b: V) -> V {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
fn mul(a: V, k: f32) -> V {
    [a[0] * k, a[1] * k, a[2] * k]
}
fn dot(a: V, b: V) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
fn len(a: V) -> f32 {
    dot(a, a).sqrt()
}
fn unit(a: V) -> V {
    mul(a, 1.0 / len(a).max(1e-6))
}
fn mix(a: V, b: V, t: f32) -> V {
    add(mul(a, 1.0 - t), mul(b, t))
}
fn step(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn ball(p: V, c: V, r: V) -> f32 {
    let q = sub(p, c);
    let k = len([q[0] / r[0], q[1] / r[1], q[2] / r[2]]);
    let g = len([q[0] / (r[0] * r[0]), q[1] / (r[1] * r[1]), q[2] / (r[2] * r[2])]);
    if g < 1e-6 { -r[0].min(r[1]).min(r[2]) } else { k * (k - 1.0) / g }
}
fn rod(p: V, a: V, b: V, ra: f32, rb: f32) -> f32 {
    let (pa, ba) = (sub(p, a), sub(b, a));
    let t = (dot(pa, ba) / dot(ba, ba)).clamp(0.0, 1.0);
    len(sub(pa, mul(ba, t))) - (ra + (rb - ra) * t)
}
fn join(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0) / k;
    a.min(b) - h * h * k * 0.25
}
fn carve(a: f32, b: f32, k: f32) -> f32 {
    -join(-a, b, k)
}

fn hash(x: i32, y: i32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca6b);
    h ^= h >> 15;
    h = h.wrapping_mul(0x2c1b_3c6d);
    h ^= h >> 12;
    h = h.wrapping_mul(0x297a_2d39);
    h ^= h >> 15;
    (h & 0xffff) as f32 / 65535.0
}
fn noise(x: f32, y: f32) -> f32 {
    let (i, j) = (x.floor(), y.floor());
    let (u, v) = (step(0.0, 1.0, x - i), step(0.0, 1.0, y - j));
    let h = |a, b| hash(i as i32 + a, j as i32 + b);
    (h(0, 0) * (1.0 - u) + h(1, 0) * u) * (1.0 - v) + (h(0, 1) * (1.0 - u) + h(1, 1) * u) * v
}
fn cloud(x: f32, y: f32) -> f32 {
    noise(x, y) * 0.5 + noise(x * 2.1, y * 2.1) * 0.3 + noise(x * 4.3, y * 4.3) * 0.2
}

/// How the head is turned down, in radians.
const PITCH: f32 = 0.0;
/// The middle of an eye, and its size.
const EYE: V = [0.275, 0.07, 0.575];
const BALL: f32 = 0.135;

fn skin(p: V) -> f32 {
    let s = [p[0].abs(), p[1], p[2]];
    let mut d = ball(p, [0.0, 0.28, -0.12], [0.76, 0.84, 0.88]);
    d = join(d, ball(p, [0.0, -0.28, 0.10], [0.60, 0.78, 0.64]), 0.25);
    d = join(d, ball(s, [0.22, -0.62, 0.28], [0.34, 0.30, 0.36]), 0.22);
    d = join(d, ball(p, [0.0, -0.90, 0.47], [0.20, 0.15, 0.18]), 0.18);
    d = join(d, ball(s, [0.36, -0.16, 0.46], [0.22, 0.20, 0.22]), 0.18);
    d = join(d, ball(s, [0.25, 0.235, 0.64], [0.27, 0.07, 0.10]), 0.14);
    d = carve(d, ball(s, [0.28, 0.075, 0.83], [0.185, 0.125, 0.17]), 0.13);
    d = join(d, rod(p, [0.0, 0.17, 0.71], [0.0, -0.20, 0.90], 0.065, 0.085), 0.13);
    d = join(d, ball(p, [0.0, -0.225, 0.90], [0.105, 0.085, 0.10]), 0.07);
    d = join(d, ball(s, [0.105, -0.25, 0.80], [0.07, 0.06, 0.09]), 0.06);
    d = carve(d, ball(s, [0.055, -0.305, 0.875], [0.035, 0.022, 0.05]), 0.03);
    d = carve(d, rod(p, [0.0, -0.31, 0.80], [0.0, -0.42, 0.79], 0.02, 0.03), 0.06);
    d = join(d, ball(p, [0.0, -0.52, 0.64], [0.28, 0.15, 0.13]), 0.12);
    let bow = 0.02 * (1.0 - (s[0] / 0.08 - 1.0).abs().min(1.0));
    d = join(d, ball(s, [0.05, -0.475 + bow, 0.735], [0.19, 0.045, 0.06]), 0.035);
    d = join(d, ball(p, [0.0, -0.565, 0.735], [0.19, 0.055, 0.065]), 0.035);
    d = carve(d, ball(p, [0.0, -0.517 + 0.25 * p[0] * p[0], 0.81], [0.235, 0.010, 0.09]), 0.02);
    let ear = carve(
        ball(s, [0.77, 0.02, -0.08], [0.075, 0.21, 0.15]),
        ball(s, [0.85, 0.04, -0.03], [0.05, 0.13, 0.08]),
        0.04,
    );
    d = join(d, ear, 0.06);
    join(d, rod(p, [0.0, -0.75, -0.12], [0.0, -1.9, -0.3], 0.40, 0.46), 0.16)
}
fn lids(p: V) -> f32 {
    let s = [p[0].abs(), p[1], p[2]];
    let shell = ball(s, EYE, [BALL + 0.022; 3]);
    // Between these two curves the lid is open, as an almond.
    let x = (s[0] - EYE[0]) / 0.15;
    let (top, low) = (0.048 * (1.0 - x * x) + 0.006 * x, -0.040 * (1.0 - x * x) + 0.006 * x);
    let closed = (p[1] - EYE[1] - top).max(low + EYE[1] - p[1]);
    shell.max(-closed).max(0.45 - p[2])
}
fn hair(p: V) -> f32 {
    let wave = 0.02 * (cloud(p[0] * 9.0 + p[2] * 3.0, p[1] * 2.0) - 0.5);
    let cap = ball(p, [0.0, 0.34, -0.16], [0.90, 0.92, 0.98]) + wave;
    let s = p[0].abs();
    // The hairline: high on the forehead, down before the ears.
    let line = 0.66 - 0.55 * step(0.35, 0.85, s) - 1.5 * step(0.25, -0.35, p[2]) - 0.10 * step(-0.1, 0.3, p[0]);
    cap.max(line - p[1])
}
fn shirt(p: V) -> f32 {
    let d = ball(p, [0.0, -2.45, -0.35], [1.75, 0.95, 0.85]);
    let collar = rod(p, [0.0, -1.50, -0.22], [0.0, -1.62, -0.25], 0.50, 0.58)
        .max(-(rod(p, [0.0, -1.0, -0.12], [0.0, -1.9, -0.25], 0.47, 0.50)));
    join(d, collar, 0.08)
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Skin,
    Eye,
    Hair,
    Shirt,
}

fn all(p: V) -> (f32, Part) {
    let s = [p[0].abs(), p[1], p[2]];
    let mut found = (join(skin(p), lids(p), 0.025), Part::Skin);
    for (d, part) in [(len(sub(s, EYE)) - BALL, Part::Eye), (hair(p), Part::Hair), (shirt(p), Part::Shirt)] {
        if d < found.0 {
            found = (d, part);
        }
    }
    found
}
fn normal(p: V) -> V {
    let e = 0.002;
    let f = |d: V| all(add(p, d)).0 - all(sub(p, d)).0;
    unit([f([e, 0.0, 0.0]), f([0.0, e, 0.0]), f([0.0, 0.0, e])])
}
fn shade(p: V, toward: V) -> f32 {
    let (mut t, mut lit) = (0.03, 1.0_f32);
    for _ in 0..28 {
        let d = all(add(p, mul(toward, t))).0;
        lit = lit.min(0.5 + 7.0 * d / t);
        if lit < 0.0 || t > 3.0 {
            break;
        }
        t += d.clamp(0.02, 0.2);
    }
    step(0.0, 1.0, lit.clamp(0.0, 1.0))
}
fn near(p: V, n: V) -> f32 {
    let dark: f32 = [0.05, 0.12, 0.25].iter().map(|h| (h - all(add(p, mul(n, *h))).0) * 0.9).sum();
    (1.0 - dark).clamp(0.25, 1.0)
}

fn colour(p: V, part: Part) -> (V, f32) {
    let s = p[0].abs();
    match part {
        Part::Eye => {
            let side = if p[0] < 0.0 { -1.0 } else { 1.0 };
            let q = sub([p[0] * side, p[1], p[2]], EYE);
            let r = ((q[0] - 0.004 * side).powi(2) + (q[1] + 0.004).powi(2)).sqrt();
            let white = mix([0.80, 0.76, 0.73], [0.62, 0.42, 0.38], step(0.07, 0.14, r));
            let iris = mix([0.24, 0.15, 0.08], [0.10, 0.06, 0.04], step(0.035, 0.058, r));
            let c = mix(iris, white, step(0.054, 0.062, r));
            (mix([0.01, 0.01, 0.01], c, step(0.022, 0.028, r)), 0.9)
        }
        Part::Hair => {
            let strand = cloud(p[0] * 26.0 + 4.0 * p[1], p[1] * 5.0 + p[2] * 5.0);
            (mix([0.055, 0.035, 0.025], [0.20, 0.125, 0.075], strand), 0.28)
        }
        Part::Shirt => {
            let weave = 0.9 + 0.2 * noise(p[0] * 40.0, p[1] * 40.0);
            (mul([0.11, 0.19, 0.30], weave), 0.05)
        }
        Part::Skin => {
            let mut c = mix([0.66, 0.40, 0.28], [0.74, 0.49, 0.36], cloud(p[0] * 5.0, p[1] * 5.0));
            c = mul(c, 0.93 + 0.14 * noise(p[0] * 60.0, p[1] * 60.0));
            let red = step(0.34, 0.05, len([s - 0.38, (p[1] + 0.2) * 0.9, 0.0]))
                + step(0.16, 0.02, len([p[0], p[1] + 0.22, 0.0])) * 0.8;
            c = mix(c, [0.70, 0.33, 0.26], 0.40 * red.min(1.0));
            let ring = step(0.23, 0.12, len([(s - EYE[0]) * 0.9, (p[1] - EYE[1] + 0.03) * 1.5, 0.0]));
            c = mix(c, [0.42, 0.24, 0.19], 0.42 * ring);
            let x = s / 0.225;
            let bow =
                0.022 * (1.0 - ((s - 0.085) / 0.06).powi(2)).max(0.0) - 0.012 * (1.0 - (s / 0.05).powi(2)).max(0.0);
            let upper = -0.435 + bow - 0.062 * x * x;
            let lower = -0.628 + 0.095 * x * x;
            let lip = step(upper + 0.012, upper - 0.012, p[1])
                * step(lower - 0.012, lower + 0.012, p[1])
                * step(0.235, 0.215, s)
                * step(0.4, 0.5, p[2]);
            c = mix(c, [0.50, 0.19, 0.18], 0.75 * lip);
            let across = (s - 0.09) / 0.34;
            let arch = 0.235 + 0.075 * (across * 2.6).clamp(0.0, 1.6).sin() - 0.03 * across;
            let thick = 0.044 * (1.0 - 0.6 * across.clamp(0.0, 1.0));
            let brow = step(thick, thick * 0.4, (p[1] - arch).abs())
                * step(-0.02, 0.08, across)
                * step(1.05, 0.85, across)
                * step(0.2, 0.4, p[2]);
            let fibre = 0.55 + 0.45 * noise(s * 90.0 - p[1] * 60.0, p[1] * 12.0);
            c = mix(c, [0.06, 0.04, 0.028], 0.95 * brow * fibre);
            let e = (s - EYE[0]) / 0.15;
            let lash = EYE[1] + 0.050 * (1.0 - e * e) + 0.006 * e;
            let lashes = step(0.016, 0.006, (p[1] - lash).abs()) * step(1.1, 0.95, e.abs()) * step(0.5, 0.6, p[2]);
            c = mix(c, [0.05, 0.03, 0.03], 0.85 * lashes);
            let beard = step(-0.30, -0.55, p[1]) * step(0.05, 0.25, p[2]) * step(-1.02, -0.92, p[1]) * (1.0 - lip);
            c = mix(c, [0.36, 0.25, 0.21], 0.30 * beard * (0.6 + 0.4 * noise(p[0] * 120.0, p[1] * 120.0)));
            (c, 0.22)
        }
    }
}

fn turn(p: V, yaw: f32, pitch: f32) -> V {
    let (s, c) = yaw.sin_cos();
    let q = [c * p[0] + s * p[2], p[1], -s * p[0] + c * p[2]];
    let (s, c) = pitch.sin_cos();
    [q[0], c * q[1] - s * q[2], s * q[1] + c * q[2]]
}

fn wall(u: f32, v: f32) -> V {
    let base = mix([0.42, 0.45, 0.44], [0.24, 0.28, 0.30], step(-0.6, 1.2, u + 0.4 * v));
    let lamp = step(0.42, 0.05, len([u - 0.62, v - 0.55, 0.0]));
    let shelf = step(0.03, 0.0, (v - 0.12).abs() - 0.02) * step(0.50, 0.60, u);
    mix(mix(base, [0.80, 0.70, 0.52], 0.45 * lamp), [0.20, 0.15, 0.12], 0.5 * shelf)
}

/// The light that reaches the camera from there; across and down from -1 to 1 of the shorter side.
fn seen(u: f32, v: f32, yaw: f32, pitch: f32) -> V {
    let eye = turn([0.0, -0.16, 6.2], yaw, pitch);
    let way = unit(turn([u * 0.27, -v * 0.27, -1.0], yaw, pitch));
    let lights: [(V, V); 3] = [
        (unit(turn([-0.55, 0.62, 0.75], yaw, pitch)), [1.30, 1.20, 1.08]),
        (unit(turn([0.85, 0.15, 0.50], yaw, pitch)), [0.30, 0.34, 0.42]),
        (unit(turn([0.6, 0.5, -0.8], yaw, pitch)), [0.45, 0.42, 0.38]),
    ];
    let mut t = 4.2;
    for _ in 0..110 {
        let p = add(eye, mul(way, t));
        let (d, part) = all(p);
        if d < 0.0012 {
            let n = normal(p);
            let (albedo, shine) = colour(p, part);
            let mut sum = mul(albedo, 0.30 * near(p, n));
            for (at, (toward, light)) in lights.iter().enumerate() {
                let facing = dot(n, *toward);
                let wrap = if part == Part::Skin { 0.25 } else { 0.05 };
                let lit = ((facing + wrap) / (1.0 + wrap)).max(0.0)
                    * if at == 0 { shade(add(p, mul(n, 0.01)), *toward) } else { 1.0 };
                let warm = if part == Part::Skin {
                    [1.0, 0.93 - 0.10 * (1.0 - facing.max(0.0)), 0.90 - 0.14 * (1.0 - facing.max(0.0))]
                } else {
                    [1.0; 3]
                };
                for k in 0..3 {
                    sum[k] += albedo[k] * light[k] * lit * warm[k] * 0.85;
                }
                let half = unit(sub(*toward, way));
                let power = if part == Part::Eye { 160.0 } else { 22.0 };
                let gleam = shine * dot(n, half).max(0.0).powf(power) * lit;
                for k in 0..3 {
                    sum[k] += light[k] * gleam * 0.5;
                }
            }
            return mul(sum, 0.72 + 0.28 * near(p, n));
        }
        t += d * 0.8;
        if t > 9.0 {
            break;
        }
    }
    wall(u, v)
}

/// The photograph of a head that is turned to its right, in radians: pixels, red first.
pub fn photograph(width: usize, height: usize, yaw: f32) -> Vec<u8> {
    let side = width.min(height) as f32 / 2.0;
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0; 3];
            for (a, b) in [(0.25, 0.25), (0.75, 0.35), (0.35, 0.75), (0.75, 0.75)] {
                let (u, v) = ((x as f32 + a - width as f32 / 2.0) / side, (y as f32 + b - height as f32 / 2.0) / side);
                sum = add(sum, seen(u, v, yaw, PITCH));
            }
            let grain =
                0.016 * (hash(x as i32 * 3 + 1, y as i32 * 7 + 5) + hash(x as i32 + 91, y as i32 * 3 + 17) - 1.0);
            for part in sum {
                let c = (part * 0.25 * 1.12).max(0.0);
                let toned = (c * (1.0 + c * 0.25) / (1.0 + c)).powf(1.0 / 2.2) * 1.12;
                rgb.push(((toned + grain).clamp(0.0, 1.0) * 255.0) as u8);
            }
        }
    }
    rgb
}
