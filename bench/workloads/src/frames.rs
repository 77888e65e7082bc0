//! A program that builds a picture again and again, as games and user interfaces do.
//!
//! ```text
//!   frame n:    nodes, labels, particles, draw list …  ──► in flight for two more frames ──► all dropped together
//!   assets:     meshes and textures, a few replaced now and then
//!   events:     one object in 64 stays for some tens of frames
//! ```

use crate::block::Block;
use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::collections::VecDeque;

/// Frames that exist at the same time: one being built, two on their way to the screen.
const IN_FLIGHT: usize = 3;

/// Objects of the scene, over all threads.
const NODES: usize = 4_000;

/// Long-lived assets of 4 to 64 KiB, over all threads.
const ASSETS: usize = 256;

/// Frames between two changes of an asset.
const ASSET_PERIOD: usize = 8;

/// Events that are remembered.
const EVENTS: usize = 2_000;

/// One object of the scene, with what belongs to it.
struct Node {
    transform: [u32; 16],
    label: Option<String>,
    particles: Vec<[u32; 4]>,
    children: Vec<u32>,
}

/// All that one frame owns.
#[derive(Default)]
struct Frame {
    #[expect(clippy::vec_box, reason = "a scene refers to its nodes by address")]
    nodes: Vec<Box<Node>>,
    draws: Vec<(u32, u32)>,
}

/// Builds frames; each thread has a scene of its own.
pub(crate) fn frames(task: Task) -> Tally {
    let frames = task.scaled(900);
    let nodes = NODES / task.threads();
    let assets = ASSETS / task.threads();
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_0010, thread);
        let mut tally = Tally::default();
        let mut assets: Vec<Block> = (0..assets).map(|_| new_asset(&mut rng)).collect();
        let mut in_flight: VecDeque<Frame> = VecDeque::new();
        let mut events: VecDeque<Block> = VecDeque::new();
        for number in 0..frames {
            let (frame, happened) = build(nodes, &mut rng, &mut tally);
            in_flight.push_back(frame);
            if in_flight.len() == IN_FLIGHT {
                tally.add(in_flight.pop_front().map_or(0, |frame| frame.checksum()));
            }
            events.extend(happened);
            while events.len() > EVENTS / task.threads() {
                tally.count(events.pop_front().map_or(0, |event| event.mark()));
            }
            if number % ASSET_PERIOD == 0 {
                let slot = rng.below(assets.len());
                tally.count(assets[slot].mark_checked());
                assets[slot] = new_asset(&mut rng);
            }
        }
        in_flight.iter().for_each(|frame| tally.add(frame.checksum()));
        assets.iter().chain(&events).for_each(|block| tally.count(block.mark_checked()));
        tally
    })
}

fn new_asset(rng: &mut Rng) -> Block {
    Block::new(rng.size(4096, 4), rng.word())
}

/// One frame and the events that happened in it.
fn build(nodes: usize, rng: &mut Rng, tally: &mut Tally) -> (Frame, Vec<Block>) {
    let (mut frame, mut events) = (Frame::default(), Vec::new());
    for number in 0..nodes {
        let node = new_node(number, rng);
        // The box, and its parts that are not empty.
        tally.operations += 1
            + u64::from(node.label.is_some())
            + u64::from(!node.particles.is_empty())
            + u64::from(!node.children.is_empty());
        frame.draws.push((node.transform[0], node.particles.len() as u32));
        frame.nodes.push(node);
        if number % 64 == 0 {
            events.push(Block::new(rng.size(32, 4), rng.word()));
        }
    }
    (frame, events)
}

fn new_node(number: usize, rng: &mut Rng) -> Box<Node> {
    let random = rng.word();
    let seed = random as u32;
    Box::new(Node {
        transform: std::array::from_fn(|index| seed ^ index as u32),
        label: (random >> 32 & 3 == 0).then(|| format!("node {number} of {seed:x}")),
        particles: if random >> 34 & 15 == 0 { vec![[seed; 4]; rng.size(4, 5)] } else { Vec::new() },
        children: if random >> 38 & 1 == 0 { vec![seed; rng.size(2, 3)] } else { Vec::new() },
    })
}

impl Frame {
    /// Reads every node, as drawing does.
    fn checksum(&self) -> u64 {
        let node = |node: &Node| {
            let transform: u64 = node.transform.iter().map(|&part| u64::from(part)).sum();
            let label = node.label.as_deref().map_or(0, crate::data::text_sum);
            let particles: u64 = node.particles.iter().map(|particle| u64::from(particle[3])).sum();
            transform ^ label ^ particles ^ node.children.iter().map(|&child| u64::from(child)).sum::<u64>()
        };
        let nodes = self.nodes.iter().fold(0_u64, |sum, one| sum.rotate_left(1).wrapping_add(node(one)));
        self.draws
            .iter()
            .fold(nodes, |sum, &(what, count)| sum.rotate_left(1) ^ u64::from(what) ^ u64::from(count))
    }
}
