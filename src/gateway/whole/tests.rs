//! The frames of a body make no difference to what is read.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Frame, SizeHint};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

/// A body in these frames, with pauses.
struct Frames {
    frames: VecDeque<Step>,
    /// What the sender says about the length.
    hint: SizeHint,
}

#[derive(Debug, Clone)]
enum Step {
    Data(Bytes),
    Trailers,
    Pause,
}

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.frames.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Step::Trailers) => Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new())))),
            Some(Step::Pause) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

/// `bytes` cut at these places, an empty frame where two are the same, a pause after each cut that says so.
fn frames(bytes: &[u8], cuts: &[(Index, bool)], announced: bool) -> Frames {
    let mut cuts: Vec<(usize, bool)> = cuts.iter().map(|(cut, pause)| (cut.index(bytes.len() + 1), *pause)).collect();
    cuts.push((bytes.len(), true));
    cuts.sort_unstable();
    let (mut frames, mut start) = (VecDeque::new(), 0);
    for (end, pause) in cuts {
        frames.push_back(Step::Data(Bytes::copy_from_slice(&bytes[start..end])));
        if pause {
            frames.push_back(Step::Pause);
        }
        start = end;
    }
    frames.push_back(Step::Trailers);
    let hint = if announced { SizeHint::with_exact(bytes.len() as u64) } else { SizeHint::default() };
    Frames { frames, hint }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

const PATIENCE: Duration = Duration::from_secs(60);

fn cuts() -> impl Strategy<Value = Vec<(Index, bool)>> {
    vec(any::<(Index, bool)>(), 0..12)
}

/// What messages that are read whole look like, and what they do not.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let kinds: [&'static [u8]; 5] = [
        b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xc3\xa9\r\n--b--\r\n",
        b"--batch\r\nContent-Type: application/http\r\n\r\nGET contacts(1) HTTP/1.1\r\n\r\n\r\n--batch--\r\n",
        b"Requestor=jane%40example.com&Subject=a+b",
        br#"{"query":"{ customer(id: 1) { email } }","variables":{}}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#,
    ];
    prop_oneof![vec(any::<u8>(), 0..3_000), prop::sample::select(kinds.to_vec()).prop_map(<[u8]>::to_vec)]
}

proptest! {
    #[test]
    fn any_frames_are_gathered_to_the_same_body(body in body(), cuts in cuts(), announced: bool) {
        let gathered = wait(gathered(frames(&body, &cuts, announced), body.len(), PATIENCE));
        prop_assert!(gathered.is_ok_and(|bytes| bytes == body));
    }

    #[test]
    fn a_body_of_one_byte_more_than_the_limit_is_refused_in_any_frames(body in body(), cuts in cuts(), announced: bool) {
        prop_assume!(!body.is_empty());
        let gathered = wait(gathered(frames(&body, &cuts, announced), body.len() - 1, PATIENCE));
        prop_assert!(matches!(gathered, Err(Cut::TooLarge)));
    }

    #[test]
    fn any_frames_of_a_coded_body_are_decoded_to_the_same_body(body in body(), cuts in cuts(), announced: bool) {
        let coded = zstd::encode_all(&body[..], 1).unwrap();
        for (coding, coded) in [(&b"identity"[..], &body), (b"zstd", &coded)] {
            let read = |limit: usize| {
                let decoder = Decoder::new(std::iter::once(coding), 1_000).unwrap();
                wait(decoded(frames(coded, &cuts, announced), decoder, limit, PATIENCE))
            };
            prop_assert!(read(body.len()).is_ok_and(|bytes| *bytes == body), "at the limit");
            if let Some(less) = body.len().checked_sub(1) {
                prop_assert!(matches!(read(less), Err(Short::Cut(Cut::TooLarge))), "past the limit");
            }
        }
        let short = &coded[..coded.len() - 1];
        let decoder = Decoder::new(std::iter::once(&b"zstd"[..]), 1_000).unwrap();
        let read = wait(decoded(frames(short, &cuts, announced), decoder, body.len(), PATIENCE));
        prop_assert!(matches!(read, Err(Short::Coding(CodingError::Damaged(_)))));
    }
}
