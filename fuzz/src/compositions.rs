//! Resources made of resources: several compositions of the modifiers over strategies of any size.

use std::alloc::System as Global;

use stratalloc_modifiers::{Counted, Fallback, FallbackChain, Guarded, Locked, Segregate, Tracked};
use stratalloc_resource::{FromGlobal, MemoryResource, Owns, Validate};
use stratalloc_strategies::buddy::Buddy;
use stratalloc_strategies::tlsf::{GrowingTlsf, Tlsf};

use crate::alone::Alone;
use crate::input::Input;
use crate::support::{Op, memory};
use crate::{plain, run, settle};

/// One of the compositions over two buffers of any length; at the end both are empty again.
pub fn compositions(data: &[u8]) {
    let mut input = Input::new(data);
    let (choice, first, second) = (input.number(0..7), input.number(200..60_000), input.number(200..60_000));
    let ops = input.ops(20_000);
    let (mut first, mut second) = (memory(first), memory(second));
    let Ok(tlsf) = Tlsf::<'_, 14, 16>::over(&mut first) else { return };
    let Ok(buddy) = Buddy::<'_, 12, 32>::over(&mut second) else { return };
    compose(&tlsf, &buddy, choice, &ops);
    assert_eq!((tlsf.usage().used, buddy.usage().used), (0, 0), "blocks did not come home");
}

fn compose(tlsf: &Tlsf<'_, 14, 16>, buddy: &Buddy<'_, 12, 32>, choice: usize, ops: &[Op]) {
    let global = || FromGlobal::new(&Global);
    match choice {
        0 => whole(&Fallback::new(tlsf, buddy), ops),
        1 => whole(&Segregate::<256, _, _>::new(buddy, tlsf), ops),
        2 => whole(&FallbackChain::new((buddy, tlsf)), ops),
        3 => whole(
            &Counted::new(Locked::new(Segregate::<64, _, _>::new(tlsf, Fallback::new(buddy, tlsf)))),
            ops,
        ),
        4 => {
            let guarded = Guarded::new(Segregate::<500, _, _>::new(tlsf, buddy));
            alone(&guarded, ops);
        }
        5 => {
            let tracked =
                Tracked::new(Guarded::new(Fallback::new(Segregate::<256, _, _>::new(buddy, tlsf), global())));
            settle(run(&Alone::new(&tracked, &|| Ok(())), ops, plain));
            assert_eq!(tracked.live(), (0, 0));
        }
        _ => {
            let upstream = Counted::new(Fallback::new(buddy, tlsf));
            if let Ok(heap) = GrowingTlsf::<_, 14, 16>::new(&upstream, 2000) {
                whole(&heap, ops);
            }
            assert_eq!(upstream.counts().live_blocks(), 0);
        }
    }
}

fn whole<R: MemoryResource + Owns + Validate>(resource: &R, ops: &[Op]) {
    settle(run(resource, ops, plain));
}

fn alone<R: MemoryResource + Validate>(resource: &R, ops: &[Op]) {
    settle(run(&Alone::new(resource, &|| resource.validate()), ops, plain));
}
