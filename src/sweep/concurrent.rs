//! A bounded number of futures at once on one thread, without `'static`.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

/// Runs `jobs`, at most `limit` (1 or more) at once; the results are in order of the jobs.
pub(super) async fn each<F: Future>(limit: usize, jobs: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting = jobs.into_iter().enumerate();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut done: Vec<(usize, F::Output)> = Vec::new();
    poll_fn(|cx| poll(limit.max(1), &mut waiting, &mut running, &mut done, cx)).await;
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, output)| output).collect()
}

fn poll<F: Future>(
    limit: usize,
    waiting: &mut impl Iterator<Item = (usize, F)>,
    running: &mut Vec<(usize, Pin<Box<F>>)>,
    done: &mut Vec<(usize, F::Output)>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        let room = limit - running.len().min(limit);
        running.extend(waiting.by_ref().take(room).map(|(index, job)| (index, Box::pin(job))));
        let before = done.len();
        running.retain_mut(|(index, job)| match job.as_mut().poll(cx) {
            Poll::Ready(output) => {
                done.push((*index, output));
                false
            }
            Poll::Pending => true,
        });
        if running.is_empty() && done.len() == before {
            return Poll::Ready(());
        }
        if done.len() == before {
            return Poll::Pending;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn jobs_run_up_to_the_limit_and_answer_in_order() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for limit in [1, 3, 50] {
            let (now, most) = (Cell::new(0), Cell::new(0));
            let job = |index: usize| {
                let (now, most) = (&now, &most);
                async move {
                    now.set(now.get() + 1);
                    most.set(most.get().max(now.get()));
                    for _ in 0..index % 4 {
                        tokio::task::yield_now().await;
                    }
                    now.set(now.get() - 1);
                    index
                }
            };
            let outputs = runtime.block_on(each(limit, (0..20).map(job)));
            assert_eq!(outputs, (0..20).collect::<Vec<_>>());
            assert!(most.get() <= limit && (limit == 1 || most.get() > 1), "{limit}: {}", most.get());
        }
        assert!(runtime.block_on(each(4, Vec::<std::future::Ready<()>>::new())).is_empty());
    }
}
