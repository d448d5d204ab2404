//! Doubles as text: what a score, an increment or a coordinate may look like in a request, and how a
//! reply writes it.

use super::longdouble::{is_infinity, round, scan_hex, split_sign};
use super::number;

const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS;
/// Exponents of the mantissa's lowest bit: of the smallest denormal, and of the largest finite double.
const EXPONENT_MIN: i32 = -1074;
const EXPONENT_MAX: i64 = 971;

/// A shortest decimal of a double has no more digits.
const DIGITS_MAX: usize = 17;

/// Parses the whole of `text` as C's `strtod` does: decimal or hexadecimal (`0x1.8p3`), with or without
/// exponent, or `inf` and `infinity`. Refuses NaN, spaces, and what would overflow or underflow to zero.
pub fn parse(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = split_sign(text);
    let magnitude = if is_infinity(unsigned) {
        f64::INFINITY
    } else if let [b'0', b'x' | b'X', hex @ ..] = unsigned {
        parse_hex(hex)?
    } else {
        parse_decimal(unsigned)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn parse_decimal(unsigned: &[u8]) -> Option<f64> {
    // Keeps out a second sign and the words that Rust's parser knows.
    if !matches!(unsigned.first(), Some(b'0'..=b'9' | b'.')) {
        return None;
    }
    let value: f64 = std::str::from_utf8(unsigned).ok()?.parse().ok()?;
    let exact = value.is_normal() || {
        let digits = unsigned.iter().take_while(|b| !matches!(b, b'e' | b'E'));
        let zero = digits.clone().all(|b| matches!(b, b'0' | b'.'));
        value.is_subnormal() || (value == 0.0 && zero)
    };
    exact.then_some(value)
}

fn parse_hex(text: &[u8]) -> Option<f64> {
    let (wide, exponent) = scan_hex(text)?;
    let (mantissa, exponent) = round(wide, exponent, MANTISSA_BITS, EXPONENT_MIN);
    if (mantissa == 0 && wide != 0) || exponent > EXPONENT_MAX {
        return None;
    }
    // The mantissa's own top bit makes the exponent field 1 where it is 0, and so normal what is.
    let field = (exponent - i64::from(EXPONENT_MIN)) as u64;
    Some(f64::from_bits((field << (MANTISSA_BITS - 1)) + mantissa))
}

/// Appends a double as Redis 7.2's replies write it: the shortest digits that read back as the same
/// value, plain for integers up to `2^62` and where it stays short, else with an exponent; `inf`, `-inf`,
/// `nan` and `-0`.
///
/// Redis finds the digits with Grisu2, which now and then, about once in 250 doubles, has one or more too
/// many: it writes 5969.37527 as `5969.3752699999995`. Here they are always the shortest, and among
/// those the closest; both texts read back as the same double.
pub fn write(out: &mut Vec<u8>, value: f64) {
    /// Half of `i64::MAX`, below which Redis writes whole doubles as integers.
    const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if magnitude <= INTEGER_MAX && magnitude == (magnitude as u64) as f64 {
        number::write_u64(out, magnitude as u64);
    } else {
        let mut shortest = Shortest::of(magnitude);
        shortest.write(out);
    }
}

/// Digits and the power of ten of the last one.
struct Shortest {
    digits: [u8; DIGITS_MAX],
    count: usize,
    exponent: i32,
}

impl Shortest {
    /// Takes apart what the library prints, for a positive finite value.
    fn of(value: f64) -> Self {
        let mut buffer = zmij::Buffer::new();
        let printed = buffer.format_finite(value);
        let (decimal, exponent) = printed.split_once('e').unwrap_or((printed, "0"));
        let mut shortest = Self { digits: [b'0'; DIGITS_MAX], count: 0, exponent: 0 };
        let mut zeros_pending = 0;
        let mut after_point = false;
        for byte in decimal.bytes() {
            if byte == b'.' {
                after_point = true;
                continue;
            }
            shortest.exponent -= i32::from(after_point);
            if byte == b'0' {
                zeros_pending += usize::from(shortest.count > 0);
                continue;
            }
            shortest.count += zeros_pending;
            shortest.digits[shortest.count] = byte;
            shortest.count += 1;
            zeros_pending = 0;
        }
        shortest.exponent += zeros_pending as i32;
        shortest.exponent += exponent.parse::<i32>().unwrap_or(0);
        shortest
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        let digits = &self.digits[..self.count];
        let count = self.count as i32;
        // The power of ten of the first digit, as scientific notation has it.
        let power = self.exponent + count - 1;
        if self.exponent >= 0 && power.abs() < count + 7 {
            out.extend_from_slice(digits);
            out.resize(out.len() + self.exponent as usize, b'0');
        } else if self.exponent < 0 && (self.exponent > -7 || power.abs() < 4) {
            if power < 0 {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + (-power - 1) as usize, b'0');
                out.extend_from_slice(digits);
            } else {
                let (whole, fraction) = digits.split_at(power as usize + 1);
                out.extend_from_slice(whole);
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
        } else {
            out.push(digits[0]);
            if count > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            out.extend_from_slice(if power < 0 { b"e-" } else { b"e+" });
            number::write_u64(out, power.unsigned_abs().into());
        }
    }
}

/// Appends a double with `places` digits behind the point, 1 to 17, rounded to nearest, ties to even,
/// after scaling: so distances are written. What does not fit in 64 bits once scaled, and NaN, is
/// clamped as a cast to `i64` clamps.
pub fn write_fixed(out: &mut Vec<u8>, value: f64, places: u32) {
    debug_assert!((1..=17).contains(&places));
    let unit = 10u64.pow(places);
    let scaled = (value * unit as f64).round_ties_even() as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    let (whole, fraction) = (scaled.unsigned_abs() / unit, scaled.unsigned_abs() % unit);
    number::write_u64(out, whole);
    out.push(b'.');
    out.resize(out.len() + places as usize - number::len_u64(fraction), b'0');
    number::write_u64(out, fraction);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Texts, and the bits of the double that redis-server 7.0.15 took them for as a score; `!` if it
    /// refused them, `_` for the empty text. Its small sorted sets keep no sign of zero.
    const PARSED: &str = "
5. 4014000000000000; .5 3fe0000000000000; . !; +.5 3fe0000000000000; 0x !; 0x.8 3fe0000000000000;
0x1. 3ff0000000000000; 0x. !; 0x1p !; 0x1p+ !; 0x1p-1074 0000000000000001; 0x1p-1075 !;
0x1.000001p-1075 0000000000000001; 0x1.8p-1074 0000000000000002; 0x1.fffffffffffff8p1023 !;
0x1.fffffffffffff7p1023 7fefffffffffffff; 2.4703282292062327e-324 !; 2.4703282292062328e-324 0000000000000001;
1e308 7fe1ccf385ebc8a0; 1.8e308 !; 1e-400 !; 0e999 0000000000000000; -0 0000000000000000; INF 7ff0000000000000;
-Infinity fff0000000000000; iNf 7ff0000000000000; infi !; nan !; NaN !; -nan !; 1e !; 1e+ !; 1e+-3 !; ++1 !;
0b1 !; 0x1g !; 1f !; 0x1p99999999999999999999 !; 0x0p99999999999999999999 0000000000000000;
1e-99999999999999999999 !; 0e-99999999999999999999 0000000000000000; 9007199254740993 4340000000000000;
9007199254740992.5 4340000000000000; 0x20000000000001 4340000000000000;
0x20000000000001.0000001 4340000000000001; 0X1P+3 4020000000000000; -063537E+39 c906caf3b0fd39b7;
-74467408923. c231569a7c1b0000; +95.8e8 4201d81998000000; 90716114.68663e-340 !;
.93936047034103948e38 47d1aadb2c628408; 637e+298 7e63060da354d886; .095 3fb851eb851eb852;
-5760.084e-23 bbf100324887a674; 6.474926726932581 4019e6533120afe1; 0x1d1e1a83e230c1.8 433d1e1a83e230c2;
-0x53c8c561f2f37a.8p-1074 8034f231587cbcdf; abc !; +16.E11 42774876e8000000; -.80E24 c4e52d02c7e14af6;
0x1e95c371d70ab5.000000000001 433e95c371d70ab5; -2308236821551818.76369 c32066a8879cb596;
-.71211810396272e3 c08640f1e07d8b49; -49.490772 c048bed19dece571; 764150727.738E299 7fdb34652ee16245;
0x12c9301808c14p971 7fa2c9301808c140; 0xef771bfe67f74672.8p-34 41cdeee37fccfee9; 932.9 408d273333333333;
-0x0.P+3 0000000000000000; 9.1841 40225e425aee6320; -15657 c0ce948000000000;
.2445546691066270395 3fcf4d9140f2d304; -929264 c12c5be000000000; -1070e13 c34301cbf18c6000;
45062586745214784780311335.3430106884 4542a32fdc75edea; 9297365034.7e-303 0317c072ca5a7503;
1.413 3ff69ba5e353f7cf; 640e-323 000000000000050f; -18.34860248 c032593e031ae78d;
+7344050.72E-299 034773bbc5e79584; 4568.31 40b1d84f5c28f5c3; 37942997037285E+324 !; 1e !;
-0xc83701d9c629ed47.p971 !; +.111 3fbc6a7ef9db22d1; 0.60 3fe3333333333333; 6 4018000000000000;
-4.24792 c010fddebd9018e7; -571969586868835789 c39fc02d3c3e9357; 113. 405c400000000000;
473971211728430363 439a4f8939335694; 69576 40f0fc8000000000;
0x147d6091cae12f.000000000001p-1074 00147d6091cae12f; -2.67586009E-38 b82236017b28117f;
12431295734632e10 44ba5304d80433ba; -027. c03b000000000000; 99999999999999999.995 4376345785d8a000;
33542400991277e57 4e9370a09059f1d1; -061.81933310242 c04ee8dfe837b64a; -0xa.P+3 c054000000000000;
-314000.128834718785304921e-33 ba38e0ade1ed5b94; .3E-304 00b5111453dbe818; +098.33722e+14 434177dbe950a200;
894804091.0 41caaad03d800000; -938114.5082711148 c12ca105043c1c8f; -28162870E+39 c993bb7791e121fb;
-0xe.000000000001P+3 c05c000000000002; +89e-6 3f1754b05b7cfe58; abc !; -79. c053c00000000000;
0x1f0ab9791e56cep-1100 0000000007c2ae5e; 2813520213.7159538E294 7ef06935ae2730a2; +00.928 3fedb22d0e560419;
0x4.000000000001P+3 4040000000000004; 23.5E2 40a25c0000000000; 472569.3E+30 4756c0ddc879f05a;
0x82c5c11d8421b.000000000001P+3 435058b823b08436; 570.1161763802 4081d0edede1cc37;
-0x12d3ce68db4796.8p971 ffe2d3ce68db4796; 9007199254740993 4340000000000000;
1926.15003677594798 409e1899a33d9793; -0xd17c3e46d976168.p960 ffaa2f87c8db2ec3; 69711.5 40f104f800000000;
-257579.714e18 c4cb45b64ea797d4; 7.5 401e000000000000; -77911.42466 c0f30576cb6848bf;
-0x164302cdaafa7e c3364302cdaafa7e; -87440.8 c0f5590ccccccccd;
709223019184.5751403383182441976 4264a41f8e561268; 43017.2 40e5012666666666; +4. 4010000000000000;
32405E-37 3930d35d028fd6a7; -inf fff0000000000000; +238167056.E+318 !; +.3975e328 !;
0x385fef655aaee28ef35f81f 458c2ff7b2ad5771; +360.33884 4076856be37de93a; 3309.29e56 4c4a5c29fc5f8036; abc !;
-7839. c0be9f0000000000; 0xeb2c1d0c0a975684.8 43ed6583a18152eb; 9612.93877888868925569 40c2c67829e8188c;
1e17 4376345785d8a000; -984.43 c08ec370a3d70a3d; 0x24219993faafb4699e072cb 458210ccc9fd57da; 1,5 !;
6 4018000000000000; -819124070295065885422193131749288 c6c431664f1c9efd; 0.150E22 4454542ba12a337c;
.780 3fe8f5c28f5c28f6; 5118 40b3fe0000000000; 10.7 4025666666666666; 640670113677470. 4302357d145a04f0;
-0x278dd27c14a0d3f26c212a52405fdbfe3 c803c6e93e0a506a; 7.1124E+1 4051c7ef9db22d0e;
27385291945978016252533452929767.59036 46759a6a6911af52; 4563244981 41f0ffd97b500000;
-.111333 bfbc8051c9f72f77; 326936454131256. 42f2958d3366e380; +28128742724728352e+323 !;
988043614179321809558157.862786083002069 44ea273e73eb1564; - !; 588369 4121f4a200000000; 270. 4070e00000000000;
084901846e+21 45f125529360fbda; -3 c008000000000000; 9223372036854775807 43e0000000000000;
806640152369610.45e+299 !; 9007199254740993 4340000000000000; +.16 3fc47ae147ae147b;
0x12532e5b1b05b35d0fb8b03.0f1p-53 4222532e5b1b05b3; 9560433.131818384 41623c2e2437db30;
-9.1E+27 c5bd6757f47b1c8f; 209259999287049154 43873b86e2999fde; -019.19E-17 bcaba7dc41916ea7;
-.66 bfe51eb851eb851f; -9223372036854775808 c3e0000000000000; 503340205212822 42fc9c9062204960;
275947.94 4110d7afc28f5c29; -407861823800e+304 !; -0x1ef0e83d53367bP+3 c36ef0e83d53367b;
-02079000.7878880 c13fb918c9b30729; 26657 40da084000000000; 7038840310953 42999b6e4e32a400;
-.73113E12 c2654757ce500000; -3.64736 c00d2dcb1465e892; -0.4629 bfdda027525460aa; 4291.8 40b0c3cccccccccd;
0x8ac9f4e291496ac8p30 45c1593e9c52292d; -528631E-28 bb4ff42b238f34cb; -3 c008000000000000;
00.50 3fe0000000000000; -2.940247744918848271 c00785a09c14837d; 120473.09E-24 3c01c7583b88ecbc;
0x281ec747f2ec09255428e216ad3b497b9P+3 48340f63a3f97605; 316825346.10064 41b2e25f0219c38b";

    /// Bits of doubles, and how redis-server 8.0.6, which writes them as 7.2 does, replied them.
    const WRITTEN: &str = "
0000000000000000 0; 8000000000000000 -0; 4008000000000000 3; 400c000000000000 3.5; 4415af1d78b58c40 1e+20;
444b1ae4d6e2ef50 1e+21; 441ac53a7e04bcda 123456789012345680000; 7ff0000000000000 inf; fff0000000000000 -inf;
0000000000000001 5e-324; 7fefffffffffffff 1.7976931348623157e+308; 3ee4f8b588e368f1 0.00001;
3eb0c6f7a0b5ed8d 0.000001; 3e7ad7f29abcaf48 1e-7; 3e8421f5f40d8376 1.5e-7; 3e80823f71155233 1.23e-7;
43d0000000000000 4611686018427387904; 43d04e70464b1580 4.7e+18; c3d04e70464b1580 -4.7e+18;
43abc16d674ec800 1000000000000000000; 43e158e460913d00 1e+19; 430c6bf526340000 1000000000000000;
3fb999999999999a 0.1; bfb999999999999a -0.1; 3fd5555555555555 0.3333333333333333;
3fe5555555555555 0.6666666666666666; 416312d010000000 10000000.5; 40c81cd6c8b43958 12345.678;
0010000000000000 2.2250738585072014e-308; 4480f0cf064dd592 1e+22; fde36bcf23a66646 -2.54027189462687e+298;
c1b92b756b000000 -422278507; a191ec85c8139dcc -5.607057798856647e-147; 42c4d40df8520000 45802000000000;
40be956a53868fd2 7829.415337; 4385e57ae07971f0 197225293624000000; 41f77825f0000000 6300000000;
c0c3290000000000 -9810; 430b51d9ee60d4ca 961227602533017.2; 5ca0583c583151b8 1.5206322766976064e+138;
4b66f0b7ced01e72 1.7577957318249163e+55; 2cce38e88311346e 7.244340082421109e-93;
42ce036947100000 66000000000000; 432593148e1f8a1e 3036345501992207; 45f636dde0cab972 1.1e+29;
3ffe33883d50c367 1.8875811; 7144dff6e7d009a7 4.2478599841553404e+237; 31c0b7d72bb0c7fd 4.844607771359918e-69;
c4ea5685f0db3b89 -9.950208e+23; 3fba328eef6965d0 0.1023339590550656; c0a6ec4dac4bbe93 -2934.1517051382193;
40bbf40000000000 7156; f23bfed0c4c7189b -1.8667355159787215e+242; 410b2e0000000000 222656;
f9e0d825f5217547 -1.1943722873559592e+279; d04a0a21a75d69a3 -6.0303538194384625e+78;
41f1930242a00000 4717552682; cb040563df7aeda7 -2.3970451408582195e+53; 4054400000000000 81;
45c1c57e4d6efac1 1.1e+28; c13454fc5fd87b43 -1.3324763743969954e+6; 409ab886b484d76b 1710.131548;
3fe55189deb7af2b 0.6662034368468758; c19b8fc6b8000000 -115601838; 0a2c07f56a91f7cc 1.1394459085461488e-259;
162bc2cf6a56e975 7.08349629069319e-202; 42e3cdf14ef1aa40 174201901649234; 40e9b4c000000000 52646;
c0b55e5c28f5c28f -5470.36; 043caa9196becab8 2.9415454418399815e-288; 3fe8aab411119ae5 0.7708378156065377;
bf14d0b16963cf12 -7.9403713559686e-5; d85d52601e254f0a -4.621347693545138e+117; 421ac89522600000 28758591640;
3d5bf4f3eb9a60bd 3.9729069e-13; c0858c8f5c28f5c3 -689.57; a666e95c79a38e3d -1.0830950966397252e-123;
40a449bcc9c90c4e 2596.868727; 4097b8561594bcbb 1518.0840667; 3fe308b8745b7de1 0.5948145172696365;
c6108d3705292d2b -3.278386254761304e+29; 30e1fc8e36bcde19 3.1812574092483606e-73;
e162c5294d62604b -1.3194584121226094e+161; 42d43c7b58a40000 89000000000000; 40c089851eb851ec 8467.04;
4104c08000000000 170000; 583f3039eb03c57c 1.2288848901255266e+117; 3fe51b86db145558 0.6596102026839317;
4397ffab6013f359 432322302768371264; 3fcff898e9398c24 0.24977408779076982;
10853e0609539b50 4.378389861268644e-229; 154e6b18c937d587 4.737274909145895e-206; 3edccc4fb5861a72 6.866e-6;
c0b262036153012f -4706.0132038; 422fd9568d840000 68395157186; 41592d5000000000 6600000;
416e848000000000 16000000; 40b4da4a3d70a3d7 5338.29; 43294d4d937c8c00 3560935000000000;
40c15a4b404ea4a9 8884.5879; 4035000000000000 21; 3dd89134dde59e5f 8.9375e-11; 4069000000000000 200;
4158d397fccccccd 6508127.95; 40a597d85f06f694 2763.9226; 3f38ea020af3d93e 3.801589e-4; 40b5510000000000 5457;
845afbbdb471e9d0 -1.1075420816579718e-287; 40d39e8000000000 20090; 7d29d28255e60b39 8.245950359154403e+294;
c0c07ca9fbe76c8b -8441.328; 4081c00000000000 568; 3e9a7c67934bc3d7 3.9467149130697e-7;
d4e32382575d455a -8.372230413857646e+100; beab83bf11ce33aa -8.2e-7; ea998e71732bce68 -3.205066562519106e+205;
18ec2085412b4f46 1.2625734564682072e-188; c000000000000000 -2; c0b801ca3d4f15e8 -6145.789998;
44df3d63e888a490 5.901032460468e+23; c0c1de8a5460aa65 -9149.0807; c3c2365696702e15 -2624663091104459264;
4190fb59e0000000 71227000; 40b3600000000000 4960; c077f16777079e5a -383.08776;
f61ab9ca51e443e9 -8.218376945120057e+260; 40c22c8de15ca6ca 9305.10844; 4084f00000000000 670;
b2972fbcda19a100 -5.504218699156423e-65; 0c7dac83db78d2ff 1.6578224958545759e-248;
c750c9fc45979e35 -3.4869400440642164e+35; 7d192cb92f67939b 4.0195745952437586e+294;
3fcd20489f1148ec 0.2275477196404333; 4032000000000000 18; 40bd0d4b8bac710d 7437.2951; 40bf580000000000 8024;
a61645b7bfd2f833 -3.2902398913759865e-125; 7a57f9c9a8efbe0f 2.1760449745964555e+281;
c02d388174084c6a -14.61036264993; be3c9c31b0c8e3df -6.661315732136117e-9;
38e875142dccecfd 1.4719725575001043e-34; c0c07bd0624dd2f2 -8439.628; c1609047b3f7ced9 -8684093.624;
40b924b2c8605682 6436.69837; 7b8fa3f5bb9faff1 1.5055971650762874e+287; c0f7e3f000000000 -97855;
3fd85639ba3a7e46 0.3802627867353049; 42e7dfcdece40000 210000000000000; 3fe45ee066120ccd 0.6365816110195738;
40b76e0000000000 5998; 4300334bbc2d0000 570000000000000; 43d9432ffc891793 7281405744264400000;
310c7133ee2853a2 2.0122142438446164e-72; bdd192525acadfda -6.392499611086e-11;
3fd82daa6b95b766 0.37778721338587784; 405b800000000000 110; 3f7cb252ce032db2 0.007006;
69622c259b13500c 4.3469094839010006e+199; 408dd2b55e42b40d 954.338558694; 4038000000000000 24;
f42dc9f0bd7d2f93 -4.265597151494974e+251; 4426c4abbebea010 2.1e+20; c07d57752da98677 -469.466108;
4599d971e4fe8402 2e+27; 40a3a30f5c28f5c3 2513.53; 8c2dcca1af888ac3 -5.202598223114871e-250;
3a061e1b57fdea36 3.4895427380456205e-29; c3cf4f5e1a8a7fab -4512250812843382272;
42b88e6d68b00000 27000000000000; c08e731d495182aa -974.3893; 3fea5af5d317d5fa 0.8236035464203149;
64101cc6770b8cde 9.962717964397221e+173; 3fedce026e3fcc4f 0.931397643404475; 418c9c3800000000 60000000;
40c1fcde353f7cee 9209.736; 41ef4add40000000 4200000000; 3fe63d5b3d93d5f1 0.6949897959408969;
c0893200abf76a2f -806.250328; 42265a0bc0000000 48000000000; 3fed1fa95b1fe4b6 0.9101149349;
3fe3018cf8c6940b 0.5939392908954927; c0bc1d4ccccccccd -7197.3; c367589f8918e6e0 -52570933500000000;
d8880299b85b7a0c -3.027354872236164e+118; 16d2e085948491a5 9.86453746905857e-199;
c0b40e5148f53c58 -5134.3175195; ef31f9c285fbbca4 -4.258343836246169e+227;
e6bebcd09116f141 -8.358852905967161e+186; c0d8c80000000000 -25376; c1288be6aaa64c30 -804339.3333;
405b000000000000 108; c09fd40000000000 -2037; 3e35f15345f3b957 5.108927585873541e-9;
9025fd97d2bf1c3a -7.082235626649555e-231; 40ab23999999999a 3473.8; c3731888b5aaf000 -86000000000000000;
ed1ed0a82ab047de -4.249129715909302e+217; f7d52ee18fae8957 -1.748583024548985e+269;
c3349b11bbb28000 -5800000000000000; 3ee36e25ca370487 9.26507193e-6; 414b40aa00000000 3572052;
9a1380a589df72af -4.589797327110339e-183; c0bc6e4ccccccccd -7278.3; c1e7bfc969161d3f -3187559240.69107;
430625b3d222ffd8 779237967814651; c4138f4073eb19ae -9.02026288e+19; 40b2c00000000000 4800;
3a42f103bac9adcb 4.781497527821094e-28; 44d6c396307896fc 4.3e+23; 422193d5a4400000 37747348000;
52d4c3c351232d35 1.0574609750669244e+91; 40c1d8fe9c23b795 9137.98914; 4411c7ea162e7820 8.2e+19;
3fe753f3e16bc790 0.7289981272463013; 41f357b247000000 5192230000; 42645f680b000000 700000000000;
41dad27480000000 1800000000; bd861c64554fe679 -2.513718978196299e-12; 9f218814124090c9 -9.975915539769337e-159;
45895518939d43ed 9.8e+26; f01f49d7e138eecf -1.2143971298114491e+232; 44a2a1903098ebde 4.399145623e+22;
c067200000000000 -185; c10c98b000000000 -234262; 0631f899f79ba052 7.920245966967863e-279;
ef7304734e6cc5ff -7.208211280257053e+228; 4402c2d32663bb30 4.326e+19; 40a8450bc6a7ef9e 3106.523;
be3e2cf2e431118e -7.0258e-9; 3fc5afac3f091580 0.1694236095228625; 3e34fac4eeac5d00 4.884686192659e-9;
bd99f2cf3823b940 -5.9e-12; 423166168e3bdb78 74727198267.8573; 3ec169005a6b665b 2.075453e-6;
3e8a31d0bd62cd41 1.951649141789e-7; d9ba8ea7b3662e63 -1.7555826254489948e+124; 40c1e6935104d552 9165.15091;
c1647f4840000000 -10746434; c0b11a0000000000 -4378; 40c1d3709d495183 9126.8798; 40adada3d70a3d71 3798.82;
3f75a1ac1ba9c900 0.005281135842425622; 81db67eb37cc7658 -1.0230784039432763e-299; 40c0ba165fc7e6b4 8564.174798;
404a3d4fffa78efc 52.47900386506623; c0c0d5bc779a6b51 -8619.4724; c0a0d40000000000 -2154;
447d234f9a33f476 8.6e+21; c0b918e8c1fc8f32 -6424.90921; 16c098a12f6ca7cd 4.336324587122455e-199;
4330a6f953470000 4687189401600000; c37add90d4019cb2 -120991415942105888;
51ce452745fc1716 1.1760968182705264e+86; 3216f65e7318dcf0 2.129304906459016e-67; c2057f102e000000 -11540760000;
4092fccd106ee30d 1215.200258; b1b5b7fd3c63c3d9 -3.146842368850522e-69; 5454c33d4d4215b1 1.7739504030660038e+98;
3fdac5dce11bbce6 0.41832658751714147; ca28c249fff8cada -1.8092616879086782e+49; c0bbede7a63736ce -7149.90488;
c0c1db2084e831ad -9142.254056; 3e6969c8ebb2f4a7 4.733581479e-8; c0bd3f0000000000 -7487;
18f1c695d021c0f9 1.5958424320574752e-188; c0b47a10a3d70a3d -5242.065; 69de8aaabae72735 9.351254115870231e+201;
c15ba2477eb9f55a -7244061.9801; be7172c417c771ef -6.5e-8; 3ff5a69a80798103 1.3531746882;
c0c0d70000000000 -8622; 324dafa0c1a27b18 2.2022333400197662e-66; 44c910945a975a47 2.3673e+23;
bdc07d3a0bfdf6de -2.999362e-11; 40a31c2b367a0f91 2446.0844; 432e8da789118000 4300000000000000;
c0c386ef487fcb92 -9997.8694; c1086a0000000000 -200000; 8a99798440dd379d -1.3254775002332347e-257;
02d244633a65e144 4.4690456804103125e-295; d4dceb18463db0fe -6.325165826016652e+100;
4030374eb61ccf47 16.2160447903; 463d07b368abd540 2.3e+30; 8eecb42846af26c1 -8.816006506910296e-237;
457c6f307be4c468 5.5e+26; 40a48ee14d72799a 2631.440044; 422c67c444000000 61000000000;
3806837ac7ada8bf 8.270187648767421e-39; 3f4818eac0c12c9d 7.35392213309e-4";

    /// The same where Redis does not find the shortest digits.
    const WRITTEN_LONGER: &str = "
44b52d02c7e14af6 99999999999999990000000; 444abe9ed89d47be 986702000000000100000;
44ada56a4b0835c0 70000000000000004000000; 44a37b547a731c02 46000000000000004000000;
449017f7df96be18 19000000000000002000000; 7c7474601cacf639 3.1893826825349777e+291;
43de75197773f196 8778753576999999000; c0ae54a005e5f30e -3882.3125449999998;
c3d61111771e8f8c -6360285387000001000; 444c416a5bf7a0e0 1042445030285956400000;
44a52d02c7e14af6 49999999999999996000000; 447d0cc271500474 8574000000000001000000;
443ada4a9218c084 495344891199999970000; 44a017f7df96be18 38000000000000004000000;
44a8905f62bda8e0 57999999999999996000000; c40800c4fc0da526 -55347163000000004000;
c3f84eb7a698d128 -28024627699999998000; 4496deb1154f79ec 27000000000000002000000;
44c52d02c7e14af6 199999999999999980000000; 45152d02c7e14af6 6.399999999999999e+24;
c4e52d02c7e14af6 -7.999999999999999e+23; c3096c7503ec3866 -894515531319052.7;
c4a0ef12ef7760a6 -39984000000000004000000; 449a420db02bd7d6 31000000000000002000000";

    fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
        table.split(';').map(|row| row.trim().split_once(' ').unwrap())
    }

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_read_as_by_redis() {
        for (text, bits) in rows(PARSED) {
            let parsed = parse(text.replace('_', "").as_bytes());
            let unsigned_zero = parsed.map(|value| (value + 0.0).to_bits());
            assert_eq!(unsigned_zero, u64::from_str_radix(bits, 16).ok(), "{text}");
        }
        assert_eq!(parse(b"-0").map(f64::to_bits), Some((-0.0f64).to_bits()));
        for text in ["1_0", " 1", "1 ", "\n1", "1\0", "1\u{661}"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn doubles_are_written_as_by_redis() {
        for (bits, expected) in rows(WRITTEN) {
            let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            assert_eq!(text(value), expected);
        }
        for (bits, longer) in rows(WRITTEN_LONGER) {
            let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            assert_eq!(parse(text(value).as_bytes()), parse(longer.as_bytes()));
        }
        assert_eq!(text(f64::NAN), "nan");
        assert_eq!(text(-f64::NAN), "nan");
    }

    #[test]
    fn fixed_places_are_padded_and_rounded() {
        let fixed = |value, places| {
            let mut out = Vec::new();
            write_fixed(&mut out, value, places);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(fixed(0.0, 4), "0.0000");
        assert_eq!(fixed(166274.15156960033, 4), "166274.1516");
        assert_eq!(fixed(-0.775, 4), "-0.7750");
        assert_eq!(fixed(0.00004, 4), "0.0000");
        assert_eq!(fixed(-0.00004, 4), "0.0000");
        assert_eq!(fixed(2.5, 1), "2.5");
        assert_eq!(fixed(9.99996, 4), "10.0000");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(parse(text(value).as_bytes()).map(f64::to_bits), Some(bits));
        }

        #[test]
        fn hexadecimal_is_exact(bits: u64) {
            let value = f64::from_bits(bits & !(1 << 63));
            prop_assume!(value.is_finite());
            let (fraction, biased) = (bits & ((1 << 52) - 1), bits >> 52 & 0x7ff);
            let (lead, power) = if biased == 0 { (0, -1022) } else { (1, biased as i64 - 1023) };
            let hex = format!("0x{lead}.{fraction:013x}p{power}");
            prop_assert_eq!(parse(hex.as_bytes()), Some(value));
        }

        #[test]
        fn no_text_panics(text in "[-+]?(0x)?[0-9a-fp.e+-]{0,30}(e[0-9]{1,5})?", bytes: Vec<u8>) {
            parse(text.as_bytes());
            parse(&bytes);
        }
    }
}
