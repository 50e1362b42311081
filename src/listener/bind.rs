//! Opens listening sockets.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel keeps for a worker that is busy.
const BACKLOG: i32 = 1024;

/// Binds and listens on `address`, non-blocking. With `reuse_port` every worker binds its own socket and the kernel
/// spreads connections over them.
///
/// # Errors
/// What the operating system says: address in use, no permission, no such address.
pub fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
