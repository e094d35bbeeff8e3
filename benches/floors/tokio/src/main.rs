//! What a user would write instead, on tokio's current-thread runtime: an echo, or a chat over a
//! broadcast channel. `tokio-floor PORT echo|fanout`

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{Receiver, Sender, channel};

type Said = (SocketAddr, Arc<[u8]>);

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let port: u16 = arguments[1].parse().expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let (sender, _) = channel::<Said>(4096);
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if arguments[2] == "fanout" {
            tokio::spawn(chat(stream, peer, sender.clone(), sender.subscribe()));
        } else {
            tokio::spawn(echo(stream));
        }
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 16384];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                if stream.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn chat(stream: TcpStream, peer: SocketAddr, sender: Sender<Said>, mut receiver: Receiver<Said>) {
    let (reader, mut writer) = stream.into_split();
    tokio::spawn(async move {
        while let Ok((from, line)) = receiver.recv().await {
            if from != peer && writer.write_all(&line).await.is_err() {
                return;
            }
        }
    });
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => drop(sender.send((peer, line.as_slice().into()))),
        }
    }
}
