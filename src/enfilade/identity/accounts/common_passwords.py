"""Passwords of twelve letters and digits or more that are tried first, without what is neither, in lower case.

Ends of digits are left out before the comparison, so `passwordpassword2026` is found as well.
"""

COMMON = frozenset(
    """
    password passwordpassword passwort passwortpasswort administrator adminadmin adminadminadmin letmein letmeinplease
    letmeinletmein welcome welcomewelcome welcometothe welcomehome changeme changemenow changemeplease changemechangeme
    qwerty qwertyuiop qwertyuiopasdf qwertyqwerty qwertzuiop qwertzuiopas qwertyasdfgh asdfghjkl asdfghjklzxc
    asdfghasdfgh zxcvbnm zxcvbnmasdfg azertyuiop azertyuiopqsd 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1q2w3e4r5t6y 1q2w3e4r5t6y7u
    q1w2e3r4t5y6 zaq12wsxcde3 qazwsxedcrfv qazwsxedc iloveyou iloveyouforever iloveyousomuch iloveyouiloveyou
    abcdefghijkl abcdefghijklmnop abcabcabcabc abc123abc123 abcd1234abcd asdf1234asdf test1234test testtesttest
    testpassword testing defaultpassword temppassword temporarypassword mypassword mypasswordis thisismypassword
    passwordisthis secretpassword supersecret supersecretpassword topsecret correcthorsebatterystaple
    trustno1trustno1 football baseball basketball superman batman princess sunshine dragon monkey shadow
    footballfootball dragondragon monkeymonkey sunshinesunshine princessprincess superstar starwars starwarsstarwars
    whatever whateverwhatever computer computercomputer internet internetinternet security securitysecurity
    p4ssw0rd p4ssw0rdp4ssw0rd p4ssword passw0rd passw0rdpassw0rd pa55word pa55w0rd enfilade enfiladeenfilade
    enfiladepassword summer winter spring autumn summersummer winterwinter hellohello helloworld helloworldhello
    companypassword businesspassword rootroot rootrootroot toortoortoor useruseruser guestguestguest
    loginlogin loginloginlogin masterpassword mastermaster fuckyou fuckyoufuckyou money moneymoneymoney
    michael jennifer jessica charlie ashley nicole daniel matthew alexander
    """.split()  # noqa: SIM905 - a list of a hundred quoted words is harder to look over
)
